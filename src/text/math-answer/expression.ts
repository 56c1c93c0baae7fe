import { integer, type Rational } from "./rational.ts";

/** A mathematical expression as an answer writes it, before anything is worked out. */
export type Expression =
  | NumberLiteral
  | { readonly kind: "constant"; readonly name: ConstantName }
  | { readonly kind: "symbol"; readonly name: string }
  | { readonly kind: "sum"; readonly terms: readonly Expression[] }
  | { readonly kind: "product"; readonly factors: readonly Expression[] }
  | { readonly kind: "quotient"; readonly top: Expression; readonly bottom: Expression }
  | { readonly kind: "power"; readonly base: Expression; readonly exponent: Expression }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] };

export type ConstantName = "pi" | "e" | "i" | "infinity";

export interface NumberLiteral {
  readonly kind: "number";
  readonly value: Rational;
  /** Size of the last written digit of a decimal fraction, 0.01 for 3.14; 0 where the number is exact. */
  readonly step: number;
}

export const exactNumber = (value: Rational): NumberLiteral => ({ kind: "number", value, step: 0 });
export const wholeNumber = (value: number): NumberLiteral => exactNumber(integer(value));
export const constant = (name: ConstantName): Expression => ({ kind: "constant", name });
export const symbol = (name: string): Expression => ({ kind: "symbol", name });
export const sumOf = (...terms: readonly Expression[]): Expression =>
  terms.length === 1 ? (terms[0] as Expression) : { kind: "sum", terms };
export const product = (...factors: readonly Expression[]): Expression =>
  factors.length === 1 ? (factors[0] as Expression) : { kind: "product", factors };
export const negative = (of: Expression): Expression => product(wholeNumber(-1), of);
export const difference = (a: Expression, b: Expression): Expression => sumOf(a, negative(b));
export const quotient = (top: Expression, bottom: Expression): Expression => ({
  kind: "quotient",
  top,
  bottom,
});
export const power = (base: Expression, exponent: Expression): Expression => ({
  kind: "power",
  base,
  exponent,
});
export const call = (name: string, ...args: readonly Expression[]): Expression => ({
  kind: "call",
  name,
  args,
});

/** What an expression is made of, in the order it is written. */
function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "sum":
      return expression.terms;
    case "product":
      return expression.factors;
    case "quotient":
      return [expression.top, expression.bottom];
    case "power":
      return [expression.base, expression.exponent];
    case "call":
      return expression.args;
    default:
      return [];
  }
}

/** Whether it or any part of it is of this sort. */
export function contains(expression: Expression, isSought: (part: Expression) => boolean): boolean {
  return isSought(expression) || partsOf(expression).some((part) => contains(part, isSought));
}

/** The same expression with each symbol under another name. */
export function renameSymbols(expression: Expression, rename: (name: string) => string): Expression {
  const inside = (part: Expression): Expression => renameSymbols(part, rename);
  switch (expression.kind) {
    case "symbol":
      return symbol(rename(expression.name));
    case "sum":
      return { kind: "sum", terms: expression.terms.map(inside) };
    case "product":
      return { kind: "product", factors: expression.factors.map(inside) };
    case "quotient":
      return quotient(inside(expression.top), inside(expression.bottom));
    case "power":
      return power(inside(expression.base), inside(expression.exponent));
    case "call":
      return call(expression.name, ...expression.args.map(inside));
    default:
      return expression;
  }
}

/** Whether two expressions are written the same, piece by piece. */
export function sameForm(a: Expression, b: Expression): boolean {
  if (a.kind === "number" && b.kind === "number")
    return a.value.top === b.value.top && a.value.bottom === b.value.bottom;
  if (a.kind !== b.kind || nameOf(a) !== nameOf(b)) return false;
  const [partsA, partsB] = [partsOf(a), partsOf(b)];
  return (
    partsA.length === partsB.length && partsA.every((part, at) => sameForm(part, partsB[at] as Expression))
  );
}

const nameOf = (expression: Expression): string => ("name" in expression ? expression.name : "");

/** What an answer is, as far as it can be read. */
export type MathAnswer =
  | Quantity
  | SetAnswer
  | ListAnswer
  | {
      readonly kind: "tuple";
      readonly items: readonly MathAnswer[];
      readonly open: string;
      readonly close: string;
    }
  | SetOperation
  | { readonly kind: "matrix"; readonly rows: readonly (readonly Expression[])[] }
  | Relation
  | { readonly kind: "choice"; readonly letter: string; readonly content: MathAnswer }
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
  readonly items: readonly MathAnswer[];
}

/** Answers side by side: `1, 2`, `x = 1 or x = 2`, `1 ± √2`. */
export interface ListAnswer {
  readonly kind: "list";
  readonly items: readonly MathAnswer[];
  /** What stands between the items. */
  readonly joiner: "," | "or" | "and";
  /** What it is if its comma is a decimal one: 3.14 for `3,14`. */
  readonly decimal?: Quantity;
}

export interface SetOperation {
  readonly kind: "operation";
  readonly operator: "union" | "intersection" | "difference";
  readonly left: MathAnswer;
  readonly right: MathAnswer;
}

/** `x = 3`, `1 < x <= 2`, `x \in [0, 1]`. */
export interface Relation {
  readonly kind: "relation";
  readonly sides: readonly MathAnswer[];
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
  readonly value: MathAnswer;
}

/**
 * Reads `x = 3`, `f(x) = 2x`, `AB = 5`, `3 = x`, `x \in [0, 1]`, `(x, y) = (1, 2)`. Of a chain it takes the last
 * value before an approximation, `x = 1/3 ≈ 0.33`. Numbers that are worked out name nothing: `2 + 3 = 5`.
 * @returns null if it is another relation
 */
export function assignmentOf({ sides, operators }: Relation): Assignment | null {
  const firstRough = operators.indexOf("≈", 1);
  const used = firstRough === -1 ? operators : operators.slice(0, firstRough);
  const [first, last] = [sides[0], sides[used.length]] as [MathAnswer, MathAnswer];
  if (used[0] === "in" && used.length === 1) return named(first, last);
  if (!used.every((operator) => operator === "=" || operator === "≈")) return null;
  const forward = named(first, last);
  if (forward !== null) return forward;
  if (sides.every(isConstant)) return { name: "", value: used[0] === "≈" ? first : last };
  return used.length === 1 ? named(last, first) : null;
}

const named = (side: MathAnswer, value: MathAnswer): Assignment | null => {
  const name = nameOfSide(side);
  return name === null ? null : { name, value };
};

/** Letters, functions of letters, what is asked for of them without a number (`a + b = 5`), and tuples of these. */
function nameOfSide(side: MathAnswer): string | null {
  if (side.kind === "tuple") {
    const names = side.items.map(nameOfSide);
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

const isConstant = (side: MathAnswer): boolean =>
  side.kind === "quantity" && !contains(side.expression, ({ kind }) => kind === "symbol");
