import { Decimal } from "decimal.js";
import type { Answer, Relation, RelationSign } from "./answer.ts";
import { spend, type Work } from "./arithmetic.ts";
import { createComplexArithmetic } from "./complex-arithmetic.ts";
import { evaluate } from "./evaluate.ts";
import { contains, type Expression } from "./expression.ts";
import {
  complementOf,
  type Interval,
  intersectRegions,
  interval,
  REAL_LINE,
  type Region,
  uniteIntervals,
} from "./region.ts";

/**
 * The set of real numbers that an answer describes: an interval, a finite set, a union, an inequality in one
 * unknown, or several of these with "or" or "and" between them.
 * @returns null if it is none of these, or an end of it is no known number
 */
export function regionOf(answer: Answer, work: Work): Region | null {
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
      const regions: Region[] = [];
      for (const item of answer.items) {
        const region = item.kind === "relation" || item.kind === "tuple" ? regionOf(item, work) : null;
        if (region === null) return null;
        regions.push(region);
      }
      // "x > 1, x < 3" means both, "x < 1, x > 3" either.
      const both = regions.reduce(intersectRegions);
      return answer.joiner === "and" || (answer.joiner === "," && both.length > 0)
        ? both
        : uniteIntervals(regions.flat());
    }
    default:
      return null;
  }
}

/** Units of work for two intervals to be brought together. */
const PAIR = 10;

function intervalOf({ items, open, close }: Extract<Answer, { kind: "tuple" }>, work: Work): Region | null {
  const [low, high] = items.map((item) => realValue(item, work));
  if (items.length !== 2 || !low || !high || low.gt(high) || !/^[([]$/.test(open)) return null;
  return uniteIntervals([interval(low, high, { lowClosed: open === "[", highClosed: close === "]" })]);
}

function pointsOf(items: readonly Answer[], work: Work): Region | null {
  const points: Interval[] = [];
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
    const [left, right] = [sides[at], sides[at + 1]] as [Answer, Answer];
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

/** The one side that is a symbol or a function of one, as it is written. */
export function unknownOf({ sides }: Relation): string | null {
  const unknowns = sides.filter(isUnknown);
  const unknown = unknowns.length === 1 ? unknowns[0] : undefined;
  if (unknown?.kind !== "quantity") return null;
  return "name" in unknown.expression ? unknown.expression.name : null;
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
function solutionsOf(operator: RelationSign | undefined, right: Answer, work: Work): Region | null {
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

const isUnknown = (side: Answer): boolean =>
  side.kind === "quantity" &&
  (side.expression.kind === "symbol" ||
    (side.expression.kind === "call" && side.expression.name.startsWith("apply ")));

/** To 30 digits, or infinite; null if it is no real number. */
function realValue(answer: Answer, work: Work): Decimal | null {
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
