import type { MathAnswer } from "./math-answer/expression.ts";
import { parseAnswer } from "./math-answer/parse-answer.ts";
import { sameAnswer } from "./math-answer/same-answer.ts";

/**
 * Whether two short answers to a question of mathematics say the same, in LaTeX or plain text.
 *
 * - Numbers: fractions, roots, pi, mixed numbers, powers of ten, groups of digits (`1,234`, `1{,}234`, `1 234`),
 *   percent, money, words (`twenty-one`). Exact numbers are equal only exactly. A decimal fraction also equals what
 *   rounds to it, within 1e-4 and one part in a thousand: `0.3333` is 1/3, `0.33` is not. `50%` is 1/2 and 50.
 * - Units: a number with one equals the number without; two units must be the same unit, however it is written.
 * - Formulas: equal as functions of their symbols; see `identical` for how that is decided.
 * - `x = 3` is 3. Equations and inequalities are the same if one is a multiple of the other.
 * - Sets and lists have no order, tuples have; `1, 2` is both {1, 2} and (1, 2). Intervals, unions and inequalities
 *   are compared as sets of real numbers. Matrices entry by entry.
 * - Words: the same but for case and articles. What cannot be read, a malformed formula too, is compared as words.
 *
 * Symmetric and reflexive; not transitive, because of rounding, percent and units. docs/math-equivalence.md has
 * examples. Never throws, and always ends: an answer of more than 2000 characters or 50
 * brackets deep equals only the same text; integers and fractions are worked out up to 4096 bits, factorials up to
 * 500!, and powers of symbols are never multiplied out; a pair gets 200 000 units of work, about a microsecond each,
 * and what is undecided then is not the same.
 */
export function mathEquivalent(a: string, b: string): boolean {
  const [plainA, plainB] = [a.trim(), b.trim()];
  if (plainA === plainB) return true;
  if (plainA.length > MAX_LENGTH || plainB.length > MAX_LENGTH) return false;
  if (WHOLE.test(plainA) && WHOLE.test(plainB)) return Number(plainA) === Number(plainB);
  return sameAnswer(parseAnswer(plainA), parseAnswer(plainB), { left: MAX_WORK });
}

const MAX_LENGTH = 2000;
/** Short enough to be exact as a float. Most answers of most models are these. */
const WHOLE = /^-?\d{1,15}$/;
/** Half of the pairs in the test's table take under 60 units, the most expensive 20 000; all of it takes a quarter of a second. */
export const MAX_WORK = 200_000;

/**
 * Whether a reference answer is a number, with or without a unit, or a mathematical expression, so that
 * `mathEquivalent` is the way to compare with it. Letters alone are not, nor are numbers in words.
 */
export function isMathematical(answer: string): boolean {
  return (
    answer.length <= MAX_REFERENCE_LENGTH &&
    SIGN_OF_MATHEMATICS.test(answer) &&
    isFormula(parseAnswer(answer))
  );
}

/** An expression is short. */
const MAX_REFERENCE_LENGTH = 300;

/** A digit, a LaTeX command, a relation, a power, or what Unicode has for them. */
const SIGN_OF_MATHEMATICS = /\d|\\[a-z]|[=<>^≤≥π√∞²³½]/i;

function isFormula(answer: MathAnswer): boolean {
  switch (answer.kind) {
    case "text":
    case "choice":
      return false;
    case "quantity":
      return answer.expression.kind !== "symbol";
    case "list":
    case "set":
    case "tuple":
      return answer.items.every(isFormula);
    default:
      return true;
  }
}
