import type { Answer, Relation, RelationSign } from "./answer.ts";
import type { Work } from "./arithmetic.ts";
import { createComplexArithmetic } from "./complex-arithmetic.ts";
import { evaluate } from "./evaluate.ts";
import { difference, type Expression, product, quotient, renameSymbols } from "./expression.ts";
import { identical } from "./identical.ts";

/**
 * Whether two equations or inequalities of two sides say the same: their differences of the sides are each other's
 * multiple, by a positive factor where there is an order: `2x > 6` and `3 < x`, but not `x^2 = 4` and `x = 2`.
 */
export function sameRelation(a: Relation, b: Relation, work: Work): boolean {
  const [orientedA, orientedB] = [orient(a), orient(b)];
  if (orientedA === null || orientedB === null || orientedA.operator !== orientedB.operator) return false;
  const [left, right] = [orientedA.excess, orientedB.excess];
  // a(x) b(y) = a(y) b(x) whatever x and y: their ratio is constant.
  const elsewhere = (expression: Expression): Expression =>
    renameSymbols(expression, (name) => `${name} elsewhere`);
  if (identical(product(left, elsewhere(right)), product(elsewhere(left), right), work) !== true)
    return false;
  const ratio = signOfRatio(left, right, work);
  return orientedA.operator.startsWith(">") ? ratio > 0 : ratio !== 0;
}

/** As `excess = 0`, `excess > 0` and so on. */
function orient({
  sides,
  operators,
}: Relation): { readonly excess: Expression; readonly operator: RelationSign } | null {
  const [left, right] = sides.map(expressionOf);
  const operator = operators[0];
  if (sides.length !== 2 || !left || !right || operator === undefined || operator === "in") return null;
  if (operator === "<" || operator === "<=") {
    return { excess: difference(right, left), operator: operator === "<" ? ">" : ">=" };
  }
  return { excess: difference(left, right), operator };
}

/** The expression of a side that is a plain number or formula. */
const expressionOf = (side: Answer): Expression | null =>
  side.kind === "quantity" && !side.percent ? side.expression : null;

/** 0 where one of them vanishes, or the ratio is not real. */
function signOfRatio(a: Expression, b: Expression, work: Work): number {
  for (let point = 0; point < POINTS; point++) {
    const ratio = evaluate(quotient(a, b), createComplexArithmetic({ point }), work);
    if (ratio?.im.abs().lt("1e-20")) return ratio.re.isZero() ? 0 : ratio.re.isPositive() ? 1 : -1;
  }
  return 0;
}

/** One of several is bound to be outside what a formula is undefined for. */
const POINTS = 4;
