import type { Answer } from "./math-answer/answer.ts";
import { parseAnswer } from "./math-answer/parse-answer.ts";

/**
 * Whether a reference answer is a number, with or without a unit, or a mathematical expression, so that
 * `mathEquivalent` is the way to compare with it. Letters alone are not, nor are numbers in words.
 */
export function isMathematical(answer: string): boolean {
  return answer.length <= MAX_LENGTH && SIGN_OF_MATHEMATICS.test(answer) && isFormula(parseAnswer(answer));
}

/** An expression is short. */
const MAX_LENGTH = 300;

/** A digit, a LaTeX command, a relation, a power, or what Unicode has for them. */
const SIGN_OF_MATHEMATICS = /\d|\\[a-z]|[=<>^≤≥π√∞²³½]/i;

function isFormula(answer: Answer): boolean {
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
