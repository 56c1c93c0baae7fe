import type { Interval } from "../evaluation/bootstrap-interval.ts";

/** What stands where there is no number. */
const MISSING = "–";

/** A number with a fixed number of digits, or a dash for null. */
export const formatNumber = (value: number | null, digits = 3): string =>
  value === null ? MISSING : value.toFixed(digits);

/** A share in percent. */
export const formatPercent = (value: number | null, digits = 0): string =>
  value === null ? MISSING : `${(100 * value).toFixed(digits)}%`;

/** A difference, with its sign. */
export const formatSigned = (value: number, digits = 3): string =>
  `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

/** A p-value: small ones as a bound, so that no p-value reads as zero. */
export function formatPValue(value: number | null): string {
  if (value === null) return MISSING;
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}

/** The interval of a level as "0.71 to 0.93", or a dash. */
export function formatInterval(
  intervals: readonly Interval[],
  { level = 0.95, digits = 2 }: { readonly level?: number; readonly digits?: number } = {},
): string {
  const interval = intervals.find((candidate) => candidate.level === level);
  return interval === undefined
    ? MISSING
    : `${interval.low.toFixed(digits)} to ${interval.high.toFixed(digits)}`;
}
