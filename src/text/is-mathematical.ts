import { normalizeMath } from "./normalize-math.ts";
import { parseQuantity } from "./parse-quantity.ts";

/**
 * Whether a reference answer is a number, with or without a unit, or a mathematical expression, so that
 * `mathEquivalent` is the way to compare with it.
 */
export function isMathematical(answer: string): boolean {
  const plain = normalizeMath(answer);
  if (parseQuantity(plain) !== null) return true;
  return plain.length <= MAX_LENGTH && EXPRESSION.test(answer) && !PROSE.test(plain);
}

/** An expression is short. */
const MAX_LENGTH = 300;

/** A LaTeX command, a power or an equation, a number with an operator, or numbers in parentheses. */
const EXPRESSION = /\\[a-z]+|[\^=]|\d ?[+*/] ?[\da-z(]|[+*/] ?\d|^[([{]-?\d.*[)\]}]$/i;

/** Two words in a row, which no expression has. */
const PROSE = /(?<![\\a-z])[a-z]{3,} [a-z]{2,}/i;
