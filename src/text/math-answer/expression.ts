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
export function partsOf(expression: Expression): readonly Expression[] {
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
