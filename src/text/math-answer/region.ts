import { Decimal } from "decimal.js";
import { createComplexArithmetic } from "./complex-arithmetic.ts";
import { evaluate, spend, type Work } from "./evaluate.ts";
import {
  contains,
  type Expression,
  type MathAnswer,
  type Relation,
  type RelationSign,
} from "./expression.ts";

/**
 * The set of real numbers that an answer describes: an interval, a finite set, a union, an inequality in one
 * unknown, or several of these with "or" or "and" between them.
 * @returns null if it is none of these, or an end of it is no known number
 */
export function regionOf(answer: MathAnswer, work: Work): Region | null {
  switch (answer.kind) {
    case "tuple":
      return intervalOf(answer, work);
    case "set":
      return pointsOf(answer.items, work);
    case "operation": {
      const [left, right] = [regionOf(answer.left, work), regionOf(answer.right, work)];
      if (left === null || right === null) return null;
      if (!spend(work, PAIR * (left.length + 1) * (right.length + 1))) return null;
      if (answer.operator === "union") return uniteIntervals([...left, ...right]);
      return intersectRegions(left, answer.operator === "difference" ? complementOf(right) : right);
    }
    case "relation":
      return regionOfRelation(answer, work);
    case "list": {
      if (answer.items.some(({ kind }) => kind === "relation") && unknownOf(answer) === null) return null;
      const regions: Region[] = [];
      for (const item of answer.items) {
        const region = item.kind === "relation" || item.kind === "tuple" ? regionOf(item, work) : null;
        if (region === null) return null;
        regions.push(region);
      }
      // "x > 1, x < 3" means both, "x < 1, x > 3" either; "x ≠ ±1" means both.
      const both = regions.reduce(intersectRegions);
      const excludes = answer.items.every(
        (item) => item.kind === "relation" && item.operators.includes("!="),
      );
      return excludes || answer.joiner === "and" || (answer.joiner === "," && both.length > 0)
        ? both
        : uniteIntervals(regions.flat());
    }
    default:
      return null;
  }
}

/** Units of work for two intervals to be brought together. */
const PAIR = 10;

function intervalOf(
  { items, open, close }: Extract<MathAnswer, { kind: "tuple" }>,
  work: Work,
): Region | null {
  const [low, high] = items.map((item) => realValue(item, work));
  if (items.length !== 2 || !low || !high || low.gt(high) || !/^[([]$/.test(open)) return null;
  return uniteIntervals([interval(low, high, { lowClosed: open === "[", highClosed: close === "]" })]);
}

function pointsOf(items: readonly MathAnswer[], work: Work): Region | null {
  const points: RealInterval[] = [];
  for (const item of items) {
    const at = realValue(item, work);
    if (at === null) return null;
    points.push(interval(at, at, { lowClosed: true, highClosed: true }));
  }
  return uniteIntervals(points);
}

function regionOfRelation({ sides, operators }: Relation, work: Work): Region | null {
  let region: Region = REAL_LINE;
  for (const [at, operator] of operators.entries()) {
    const [left, right] = [sides[at], sides[at + 1]] as [MathAnswer, MathAnswer];
    const solved = isUnknown(left)
      ? solutionsOf(operator, right, work)
      : isUnknown(right)
        ? solutionsOf(MIRRORED.get(operator), left, work)
        : null;
    if (solved === null) return null;
    region = intersectRegions(region, solved);
  }
  return sides.filter(isUnknown).length === 1 ? region : null;
}

/** What a relation, or each relation of a list, says something about; null if it is not one unknown alone. */
export function unknownOf(answer: MathAnswer): string | null {
  if (answer.kind === "list") {
    const [first, ...others] = answer.items.map(unknownOf);
    return first !== undefined && others.every((other) => other === first) ? first : null;
  }
  const unknowns = answer.kind === "relation" ? answer.sides.filter(isUnknown) : [];
  const unknown = unknowns.length === 1 ? unknowns[0] : undefined;
  return unknown?.kind === "quantity" && "name" in unknown.expression ? unknown.expression.name : null;
}

const INFINITY = new Decimal(Number.POSITIVE_INFINITY);

const MIRRORED: ReadonlyMap<RelationSign, RelationSign> = new Map([
  ["=", "="],
  ["!=", "!="],
  ["<", ">"],
  [">", "<"],
  ["<=", ">="],
  [">=", "<="],
]);

/** The values of an unknown that stands to the left of the sign. */
function solutionsOf(operator: RelationSign | undefined, right: MathAnswer, work: Work): Region | null {
  if (operator === "in") return regionOf(right, work);
  const bound = realValue(right, work);
  if (bound === null || operator === undefined) return null;
  const point = interval(bound, bound, { lowClosed: true, highClosed: true });
  if (operator === "=") return [point];
  if (operator === "!=") return complementOf([point]);
  const closed = operator.endsWith("=");
  return operator.startsWith("<")
    ? [interval(INFINITY.neg(), bound, { highClosed: closed })]
    : [interval(bound, INFINITY, { lowClosed: closed })];
}

const isUnknown = (side: MathAnswer): boolean =>
  side.kind === "quantity" &&
  (side.expression.kind === "symbol" ||
    (side.expression.kind === "call" && side.expression.name.startsWith("apply ")));

/** To 30 digits, or infinite; null if it is no real number. */
function realValue(answer: MathAnswer, work: Work): Decimal | null {
  if (answer.kind !== "quantity") return null;
  const { expression } = answer;
  const infinite = infinityOf(expression);
  if (infinite !== 0) return infinite > 0 ? INFINITY : INFINITY.neg();
  if (contains(expression, ({ kind }) => kind === "symbol")) return null;
  const value = evaluate(expression, createComplexArithmetic(), work);
  return value?.im.isZero() ? value.re : null;
}

function infinityOf(expression: Expression): number {
  if (expression.kind === "constant" && expression.name === "infinity") return 1;
  const isNegative = expression.kind === "product" && expression.factors.length === 2;
  return isNegative ? -infinityOf(expression.factors[1] as Expression) : 0;
}

/** A part of the real line; an end at infinity is open. A single point has both ends at it. */
export interface RealInterval {
  readonly low: Decimal;
  readonly high: Decimal;
  readonly lowClosed: boolean;
  readonly highClosed: boolean;
}

/** A set of real numbers: intervals in rising order that do not touch. */
export type Region = readonly RealInterval[];

export const interval = (
  low: Decimal,
  high: Decimal,
  { lowClosed = false, highClosed = false }: { lowClosed?: boolean; highClosed?: boolean } = {},
): RealInterval => ({
  low,
  high,
  lowClosed: lowClosed && low.isFinite(),
  highClosed: highClosed && high.isFinite(),
});

export const REAL_LINE: Region = [interval(INFINITY.neg(), INFINITY)];

/** Joins what overlaps or touches, and leaves out what is empty. */
export function uniteIntervals(intervals: readonly RealInterval[]): Region {
  const sorted = intervals
    .filter(
      ({ low, high, lowClosed, highClosed }) => low.lt(high) || (low.eq(high) && lowClosed && highClosed),
    )
    .sort((a, b) => a.low.cmp(b.low) || Number(b.lowClosed) - Number(a.lowClosed));
  const united: RealInterval[] = [];
  for (const next of sorted) {
    const last = united.at(-1);
    const joins =
      last !== undefined &&
      (next.low.lt(last.high) || (next.low.eq(last.high) && (next.lowClosed || last.highClosed)));
    if (!joins) united.push(next);
    else if (next.high.gt(last.high) || (next.high.eq(last.high) && next.highClosed))
      united[united.length - 1] = { ...last, high: next.high, highClosed: next.highClosed };
  }
  return united;
}

export const intersectRegions = (a: Region, b: Region): Region =>
  uniteIntervals(a.flatMap((x) => b.map((y) => overlap(x, y))));

/** The real numbers that are not in it. */
export function complementOf(region: Region): Region {
  const gaps: RealInterval[] = [];
  let low = INFINITY.neg();
  let lowClosed = false;
  for (const next of region) {
    gaps.push(interval(low, next.low, { lowClosed, highClosed: !next.lowClosed }));
    low = next.high;
    lowClosed = !next.highClosed;
  }
  gaps.push(interval(low, INFINITY, { lowClosed }));
  return uniteIntervals(gaps);
}

/** Ends are the same to 20 digits, ten fewer than they are worked out to. */
export const sameRegion = (a: Region, b: Region): boolean =>
  a.length === b.length &&
  a.every((x, at) => {
    const y = b[at] as RealInterval;
    return (
      x.lowClosed === y.lowClosed &&
      x.highClosed === y.highClosed &&
      sameEnd(x.low, y.low) &&
      sameEnd(x.high, y.high)
    );
  });

const sameEnd = (a: Decimal, b: Decimal): boolean =>
  a.eq(b) ||
  (a.isFinite() && b.isFinite() && a.minus(b).abs().lte(Decimal.max(a.abs(), b.abs()).times("1e-20")));

function overlap(a: RealInterval, b: RealInterval): RealInterval {
  const low = Decimal.max(a.low, b.low);
  const high = Decimal.min(a.high, b.high);
  const holds = (end: Decimal, side: "lowClosed" | "highClosed", of: "low" | "high"): boolean =>
    [a, b].every((each) => !each[of].eq(end) || each[side]);
  return interval(low, high, {
    lowClosed: holds(low, "lowClosed", "low"),
    highClosed: holds(high, "highClosed", "high"),
  });
}
