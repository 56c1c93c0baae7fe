/**
 * Numbers as people read them, in the terminal and in the report alike: one minus sign (U+2212), one way to write a
 * p-value, one word if there is no number. JSON and CSV keep what `JSON.stringify` writes.
 */

/** Shown if there is no number. */
const MISSING = "none";

/** A number with a fixed count of decimals. */
export const formatNumber = (value: number | null, decimals = 3): string =>
  value === null ? MISSING : withMinus(withoutNegativeZero(value.toFixed(decimals)));

/** A number with some significant digits and no trailing zeros: a threshold may be 0.25 or 1.03e−8. */
export const formatSignificant = (value: number, digits = 3): string =>
  withMinus(String(Number(value.toPrecision(digits)) + 0));

/** A share in percent, without trailing zeros: 22.2%, 10%. */
export const formatPercent = (share: number | null, decimals = 0): string =>
  share === null ? MISSING : `${withMinus(String(Number((100 * share).toFixed(decimals)) + 0))}%`;

/** A share as a count that can be pictured, for "of 100 such answers … are wrong": "about 22", "fewer than 1". */
export function formatOfHundred(share: number): string {
  // an estimate of 0 or 1 promises neither none nor all
  if (share < 0.005) return "fewer than 1";
  return share >= 0.995 ? "more than 99" : `about ${Math.round(100 * share)}`;
}

/** A difference, with its sign. */
export function formatSigned(value: number | null, decimals = 3): string {
  if (value === null) return MISSING;
  const shown = formatNumber(value, decimals);
  return shown.startsWith(MINUS) ? shown : `+${shown}`;
}

/** "1.5 GB" */
export const formatGigabytes = (sizeBytes: number): string => `${(sizeBytes / 1e9).toFixed(1)} GB`;

/**
 * A size for people: "0 B", "12 kB", "3.4 MB", "1.2 GB", in powers of 1000.
 * @param scaleBytes the size that chooses the unit, so that "0.3" and "1.2 GB" have the same unit
 */
export function formatBytes(sizeBytes: number, scaleBytes: number = sizeBytes): string {
  const power = UNITS.findLastIndex((_, index) => scaleBytes >= 1000 ** index);
  const value = sizeBytes / 1000 ** Math.max(0, power);
  // kilobytes and bytes need no fraction
  return `${value.toFixed(power >= 2 ? 1 : 0)} ${UNITS[Math.max(0, power)]}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** The 95% interval: "0.71 to 0.93". */
export function formatInterval(
  intervals: readonly { readonly level: number; readonly low: number; readonly high: number }[],
  { decimals = 2, signed = false }: { readonly decimals?: number; readonly signed?: boolean } = {},
): string {
  const interval = intervals.find(({ level }) => level === SHOWN_LEVEL);
  if (interval === undefined) return MISSING;
  const format = signed ? formatSigned : formatNumber;
  return `${format(interval.low, decimals)} to ${format(interval.high, decimals)}`;
}

/** Of the levels that an evaluation holds. */
const SHOWN_LEVEL = 0.95;

/**
 * A p-value for a table: 0.011, "< 0.001", and "≤ 0.001" where no permutation was as extreme as what was found. The
 * smallest value that n permutations can give, 1/(n + 1), is a bound and not a measurement. Never "0.000".
 * @param permutations number behind the value; null if it does not come from one test, as after a correction
 */
export function formatPValue(value: number | null, permutations: number | null): string {
  if (value === null) return MISSING;
  // a rounding error of the division must not hide the bound
  if (permutations !== null && value <= (1 + 1e-9) / (1 + permutations))
    return `≤ ${Math.max(Math.ceil(value * 1000 - 1e-9) / 1000, 0.001).toFixed(3)}`;
  return value < 0.001 ? "< 0.001" : value.toFixed(3);
}

/** The same for a sentence: "p = 0.011", "p < 0.001", "p ≤ 0.001". */
export function formatPEquation(value: number | null, permutations: number | null): string {
  const shown = formatPValue(value, permutations);
  return /^[<≤]/.test(shown) ? `p ${shown}` : `p = ${shown}`;
}

const MINUS = "\u2212";

const withMinus = (text: string): string => text.replaceAll("-", MINUS);

/** A number that rounds to zero has no sign. */
const withoutNegativeZero = (text: string): string => (/^-[0.]+$/.test(text) ? text.slice(1) : text);
