import type { Expression } from "./expression.ts";

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
