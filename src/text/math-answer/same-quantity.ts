import { createComplexArithmetic, sizeOf } from "./complex-arithmetic.ts";
import { evaluate, evaluateExactly, type Work } from "./evaluate.ts";
import {
  contains,
  difference,
  type Expression,
  type MathAnswer,
  product,
  type Quantity,
  quotient,
  type Relation,
  type RelationSign,
  renameSymbols,
  sameForm,
  wholeNumber,
} from "./expression.ts";
import { identical } from "./identical.ts";
import { compatibleUnits } from "./vocabulary.ts";

/** The same number with its unit; 50% is both 50 and 1/2, as a question for a percentage is answered by either. */
export function sameQuantity(a: Quantity, b: Quantity, work: Work): boolean {
  if (!compatibleUnits(a.unit, b.unit)) return false;
  if (sameValue(a.expression, b.expression, work)) return true;
  if (a.percent === b.percent) return false;
  const [percent, other] = a.percent ? [a, b] : [b, a];
  return sameValue(quotient(percent.expression, wholeNumber(100)), other.expression, work);
}

/**
 * Whether two expressions are identical, or one is the other rounded. What cannot be worked out is the same only if
 * it is written the same. A symbol alone is the same in capitals.
 */
export function sameValue(a: Expression, b: Expression, work: Work): boolean {
  if (a.kind === "symbol" && b.kind === "symbol") return a.name.toLowerCase() === b.name.toLowerCase();
  if (sameForm(a, b)) return true;
  const verdict = identical(a, b, work);
  if (verdict !== false) return verdict ?? false;
  return [a, b].some(isRounded) && sameRounded(a, b, work);
}

const isRounded = (expression: Expression): boolean =>
  contains(expression, (part) => part.kind === "number" && part.step > 0);

/** However few digits are given, 0.3333 and 0.3334 are not the same, nor are 0.33 and 1/3. */
const ABSOLUTE_TOLERANCE = 1e-4;
/** Keeps 0.00001 and 0.00002 apart. */
const RELATIVE_TOLERANCE = 1e-3;
/** What a program prints for 0.1 + 0.2: below 1 relative to the number, and in large ones the last digits of a float. */
const NOISE = { absolute: 1e-6, relative: 1e-14 };

/**
 * A decimal fraction stands for what rounds to it and, next to an exact number, also for what was cut off: less than
 * one in its last digit. Of two decimal fractions the one with fewer digits has to be the other, rounded.
 */
function sameRounded(a: Expression, b: Expression, work: Work): boolean {
  const arithmetic = createComplexArithmetic();
  if ([a, b].some((each) => contains(each, ({ kind }) => kind === "symbol"))) return false;
  const [x, y] = [evaluate(a, arithmetic, work), evaluate(b, arithmetic, work)];
  if (x === null || y === null) return false;
  const [sizeX, sizeY] = [sizeOf(x), sizeOf(y)];
  const larger = sizeX.gt(sizeY) ? sizeX : sizeY;
  // Infinite where it is out of a float's range, which leaves the relative bounds.
  const size = larger.toNumber();
  const relative = sizeOf({ re: x.re.minus(y.re), im: x.im.minus(y.im) })
    .div(larger)
    .toNumber();
  const apart = relative * size;
  if (relative <= Math.max(NOISE.absolute * Math.min(1, 1 / size), NOISE.relative)) return true;
  if (apart > ABSOLUTE_TOLERANCE || relative > RELATIVE_TOLERANCE) return false;
  const steps = [a, b].map((each) => roundingStep(each, work));
  const room = Math.max(...steps);
  return steps.every((step) => step > 0) ? apart <= (room / 2) * (1 + BINARY) : apart < room * (1 - BINARY);
}

/** Keeps the error of numbers such as 1e-4, which have no binary fraction, out of the comparison. */
const BINARY = 1e-9;

/** Size of the last digit of a decimal fraction, times what is exact beside it; without bound for a longer formula. */
function roundingStep(expression: Expression, work: Work): number {
  if (!isRounded(expression)) return 0;
  if (expression.kind === "number") return expression.step;
  if (expression.kind !== "product" && expression.kind !== "quotient") return Number.POSITIVE_INFINITY;
  const parts = expression.kind === "product" ? expression.factors : [expression.top, expression.bottom];
  return parts.reduce((step, part, at) => {
    if (isRounded(part)) return step * roundingStep(part, work);
    const value = evaluateExactly(part, work);
    const size = value === null ? Number.NaN : Math.abs(Number(value.top) / Number(value.bottom));
    return expression.kind === "quotient" && at === 1 ? step / size : step * size;
  }, 1);
}

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
const expressionOf = (side: MathAnswer): Expression | null =>
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
