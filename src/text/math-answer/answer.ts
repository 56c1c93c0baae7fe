import { contains, type Expression, partsOf } from "./expression.ts";

/** What an answer is, as far as it can be read. */
export type Answer =
  | Quantity
  | SetAnswer
  | ListAnswer
  | {
      readonly kind: "tuple";
      readonly items: readonly Answer[];
      readonly open: string;
      readonly close: string;
    }
  | SetOperation
  | { readonly kind: "matrix"; readonly rows: readonly (readonly Expression[])[] }
  | Relation
  | { readonly kind: "choice"; readonly letter: string; readonly content: Answer }
  | { readonly kind: "text"; readonly text: string };

export interface Quantity {
  readonly kind: "quantity";
  /** Of `50%` it is 50. */
  readonly expression: Expression;
  /** In one spelling; "" without one. */
  readonly unit: string;
  readonly percent: boolean;
}

/** `{1, 2}` */
export interface SetAnswer {
  readonly kind: "set";
  readonly items: readonly Answer[];
}

/** Answers side by side: `1, 2`, `x = 1 or x = 2`, `1 ± √2`. */
export interface ListAnswer {
  readonly kind: "list";
  readonly items: readonly Answer[];
  /** What stands between the items. */
  readonly joiner: "," | "or" | "and";
  /** What it is if its comma is a decimal one: 3.14 for `3,14`. */
  readonly decimal?: Quantity;
}

export interface SetOperation {
  readonly kind: "operation";
  readonly operator: "union" | "intersection" | "difference";
  readonly left: Answer;
  readonly right: Answer;
}

/** `x = 3`, `1 < x <= 2`, `x \in [0, 1]`. */
export interface Relation {
  readonly kind: "relation";
  readonly sides: readonly Answer[];
  readonly operators: readonly RelationSign[];
}

export type RelationSign = "=" | "≈" | "!=" | "<" | ">" | "<=" | ">=" | "in";

export const quantity = (expression: Expression): Quantity => ({
  kind: "quantity",
  expression,
  unit: "",
  percent: false,
});

/** What a name is said to be: of `x = 3` the name is `x`; of `2 + 3 = 5` it is "", as nothing is named. */
interface Assignment {
  readonly name: string;
  readonly value: Answer;
}

/**
 * Reads `x = 3`, `f(x) = 2x`, `AB = 5`, `3 = x`, `x \in [0, 1]`, `(x, y) = (1, 2)`. Of a chain it takes the last
 * value before an approximation, `x = 1/3 ≈ 0.33`. Numbers that are worked out name nothing: `2 + 3 = 5`.
 * @returns null if it is another relation
 */
export function assignmentOf({ sides, operators }: Relation): Assignment | null {
  const firstRough = operators.indexOf("≈", 1);
  const used = firstRough === -1 ? operators : operators.slice(0, firstRough);
  const [first, last] = [sides[0], sides[used.length]] as [Answer, Answer];
  if (used[0] === "in" && used.length === 1) return named(first, last);
  if (!used.every((operator) => operator === "=" || operator === "≈")) return null;
  const forward = named(first, last);
  if (forward !== null) return forward;
  if (sides.every(isConstant)) return { name: "", value: used[0] === "≈" ? first : last };
  return used.length === 1 ? named(last, first) : null;
}

const named = (side: Answer, value: Answer): Assignment | null => {
  const name = nameOf(side);
  return name === null ? null : { name, value };
};

/** Letters, functions of letters, what is asked for of them without a number (`a + b = 5`), and tuples of these. */
function nameOf(side: Answer): string | null {
  if (side.kind === "tuple") {
    const names = side.items.map(nameOf);
    return names.includes(null) ? null : `(${names.join(",")})`;
  }
  return side.kind === "quantity" && side.unit === "" && !side.percent
    ? nameOfExpression(side.expression)
    : null;
}

function nameOfExpression(expression: Expression): string | null {
  switch (expression.kind) {
    case "symbol":
      return expression.name;
    case "product":
    case "sum":
    case "quotient": {
      const names = partsOf(expression).map(nameOfExpression);
      return names.includes(null) ? null : names.join(SIGNS[expression.kind]);
    }
    case "call":
      return expression.name.startsWith("apply ") ? expression.name.slice("apply ".length) : null;
    default:
      return null;
  }
}

const SIGNS = { product: "", sum: "+", quotient: "/" } as const;

const isConstant = (side: Answer): boolean =>
  side.kind === "quantity" && !contains(side.expression, ({ kind }) => kind === "symbol");
