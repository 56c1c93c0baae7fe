import { normalizeMath } from "./normalize-math.ts";
import { parseQuantity, type Quantity } from "./parse-quantity.ts";

/**
 * Whether two short mathematical answers say the same: as numbers where both are numbers, else as normalised
 * text. Understands LaTeX fractions and spacing, thousands separators, percent, currency, one plain unit,
 * mixed numbers, powers of ten, and `x = 3`.
 *
 * Two whole numbers are equal only if they are the same. Other numbers are equal within 1e-4 absolutely and,
 * below 0.1, within one part in a thousand. `50%` equals both `0.5` and `50`, since a question that asks for
 * a percentage is answered by either. A number without unit equals one with a unit; two units must agree.
 * Symmetric; not transitive, because of tolerance, percent and units. Time is linear in the texts.
 */
export function mathEquivalent(a: string, b: string): boolean {
  if (a.trim() === b.trim()) return true;
  if (a.length > MAX_LENGTH || b.length > MAX_LENGTH) return false;
  const [plainA, plainB] = [normalizeMath(a), normalizeMath(b)];
  if (plainA === plainB && plainA !== "") return true;
  const [quantityA, quantityB] = [parseQuantity(plainA), parseQuantity(plainB)];
  if (quantityA !== null && quantityB !== null) return sameQuantity(quantityA, quantityB);
  if (quantityA !== null || quantityB !== null) return false;
  return plainA !== "" && withoutSpaces(plainA) === withoutSpaces(plainB);
}

/** An answer is short; what is longer is not an answer, and compared as text only. */
const MAX_LENGTH = 2000;

const ABSOLUTE_TOLERANCE = 1e-4;
/** Keeps 0.00001 and 0.00002 apart, which the absolute tolerance alone would not. */
const RELATIVE_TOLERANCE = 1e-3;
/** Floating-point noise of a few operations, which above 1e8 exceeds the absolute tolerance. */
const ROUNDING_NOISE = 1e-12;

function sameQuantity(a: Quantity, b: Quantity): boolean {
  if (a.unit !== "" && b.unit !== "" && a.unit !== b.unit) return false;
  if (sameNumber(a, b)) return true;
  if (a.percent === b.percent) return false;
  const [percent, other] = a.percent ? [a, b] : [b, a];
  return sameNumber({ value: percent.value / 100, integer: null }, other);
}

function sameNumber(a: Pick<Quantity, "value" | "integer">, b: Pick<Quantity, "value" | "integer">): boolean {
  if (a.integer !== null && b.integer !== null) return a.integer === b.integer;
  const scale = Math.max(Math.abs(a.value), Math.abs(b.value));
  const tolerance = Math.max(
    ROUNDING_NOISE * scale,
    Math.min(ABSOLUTE_TOLERANCE, RELATIVE_TOLERANCE * scale),
  );
  return Math.abs(a.value - b.value) <= tolerance;
}

const withoutSpaces = (text: string): string => text.replace(/\s+/g, "");
