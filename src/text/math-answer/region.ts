import { Decimal } from "decimal.js";

/** A part of the real line; an end at infinity is open. A single point has both ends at it. */
export interface Interval {
  readonly low: Decimal;
  readonly high: Decimal;
  readonly lowClosed: boolean;
  readonly highClosed: boolean;
}

/** A set of real numbers: intervals in rising order that do not touch. */
export type Region = readonly Interval[];

export const interval = (
  low: Decimal,
  high: Decimal,
  { lowClosed = false, highClosed = false }: { lowClosed?: boolean; highClosed?: boolean } = {},
): Interval => ({
  low,
  high,
  lowClosed: lowClosed && low.isFinite(),
  highClosed: highClosed && high.isFinite(),
});

const INFINITY = new Decimal(Number.POSITIVE_INFINITY);

export const REAL_LINE: Region = [interval(INFINITY.neg(), INFINITY)];

/** Joins what overlaps or touches, and leaves out what is empty. */
export function uniteIntervals(intervals: readonly Interval[]): Region {
  const sorted = intervals
    .filter(
      ({ low, high, lowClosed, highClosed }) => low.lt(high) || (low.eq(high) && lowClosed && highClosed),
    )
    .sort((a, b) => a.low.cmp(b.low) || Number(b.lowClosed) - Number(a.lowClosed));
  const united: Interval[] = [];
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
  const gaps: Interval[] = [];
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
    const y = b[at] as Interval;
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

function overlap(a: Interval, b: Interval): Interval {
  const low = Decimal.max(a.low, b.low);
  const high = Decimal.min(a.high, b.high);
  const holds = (end: Decimal, side: "lowClosed" | "highClosed", of: "low" | "high"): boolean =>
    [a, b].every((each) => !each[of].eq(end) || each[side]);
  return interval(low, high, {
    lowClosed: holds(low, "lowClosed", "low"),
    highClosed: holds(high, "highClosed", "high"),
  });
}
