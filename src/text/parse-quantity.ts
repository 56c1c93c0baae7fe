/** A number as an answer gives it. */
export interface Quantity {
  /** Of `50%` it is 50. */
  readonly value: number;
  /** All digits with their sign, where the answer is written as a whole number; keeps what a float would lose. */
  readonly integer: bigint | null;
  readonly percent: boolean;
  /** Singular, "" without one. */
  readonly unit: string;
}

/**
 * Reads an answer that is one number: whole, decimal, fraction, mixed (`1 1/2`), with a power of ten, percent
 * sign, or a unit of plain words after it.
 * @param plain as `normalizeMath` gives it
 * @returns null if it is anything else, `3x` or `(1, 2)` included
 */
export function parseQuantity(plain: string): Quantity | null {
  const [, number = "", percentSign, words = ""] =
    /^([-+]?[\d.,/ *^e()+-]*[\d.)])(?: ?(%)| ?((?<= )[a-z]+(?:[ /][a-z]+){0,3}(?:\^?[23])?|[a-z]{2,}(?:\^?[23])?))?$/.exec(
      plain,
    ) ?? [];
  const parsed = parseNumber(number.trim());
  if (parsed === null) return null;
  const [first = "", ...others] = words.split(" ");
  if (NOT_UNITS.has(first)) return null;
  if (first.startsWith("percent")) return { ...parsed, percent: true, unit: "" };
  const scale = SCALES.get(first);
  if (scale === undefined) return { ...parsed, percent: percentSign !== undefined, unit: singular(words) };
  const integer = parsed.integer === null ? null : parsed.integer * BigInt(scale);
  return { value: parsed.value * scale, integer, percent: false, unit: singular(others.join(" ")) };
}

type PlainNumber = Pick<Quantity, "value" | "integer">;

function parseNumber(text: string): PlainNumber | null {
  const power = /^([^*]+) ?\* ?10\^ ?\(?([-+]?\d{1,3})\)?$/.exec(text);
  if (power) {
    const factor = parseDecimal((power[1] as string).trim());
    return factor && { value: Number(`${factor.value}e${power[2]}`), integer: null };
  }
  const mixed = /^([-+]?\d+) (\d+) ?\/ ?(\d+)$/.exec(text);
  if (mixed) {
    const [whole, top, bottom] = mixed.slice(1).map(Number) as [number, number, number];
    const fraction = (text.startsWith("-") ? -1 : 1) * (top / bottom);
    return bottom === 0 ? null : { value: whole + fraction, integer: null };
  }
  const [top, bottom, ...more] = text.split("/").map((part) => parseDecimal(withoutParentheses(part)));
  if (!top || more.length > 0) return null;
  if (bottom === undefined) return top;
  return bottom === null || bottom.value === 0 ? null : { value: top.value / bottom.value, integer: null };
}

function parseDecimal(text: string): PlainNumber | null {
  if (!/^[-+]?(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d*)?(?:e[-+]?\d{1,3})?$/.test(text) || !/\d/.test(text))
    return null;
  const digits = text.replaceAll(",", "").replace(/^\+/, "");
  const value = Number(digits);
  if (!Number.isFinite(value)) return null;
  return { value, integer: /^-?\d+$/.test(digits) ? BigInt(digits) : null };
}

function withoutParentheses(part: string): string {
  const trimmed = part.trim().replace(/^([-+]) /, "$1");
  return /^\(([^(),]*)\)$/.exec(trimmed)?.[1]?.trim() ?? trimmed;
}

const SCALES: ReadonlyMap<string, number> = new Map([
  ["hundred", 1e2],
  ["thousand", 1e3],
  ["million", 1e6],
  ["billion", 1e9],
  ["trillion", 1e12],
]);

/** Words after a number that make it something else than the number of a unit. */
const NOT_UNITS: ReadonlySet<string> = new Set(
  "x y z n pi e i or and to sqrt sin cos tan log ln infinity".split(" "),
);

const singular = (unit: string): string => unit.trim().replace(/(?<=[a-z]{2})s$/, "");
