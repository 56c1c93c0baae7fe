import { type Arithmetic, spend, type Work } from "./arithmetic.ts";
import { EXACT_ARITHMETIC } from "./exact-arithmetic.ts";
import type { Expression } from "./expression.ts";
import type { Rational } from "./rational.ts";

/**
 * The value of an expression in some kind of number.
 * @returns null where it has none there, or `work` does not suffice
 */
export function evaluate<V>(expression: Expression, arithmetic: Arithmetic<V>, work: Work): V | null {
  if (!spend(work, 1)) return null;
  switch (expression.kind) {
    case "number":
      return arithmetic.rational(expression.value);
    case "constant":
      return arithmetic.constant(expression.name);
    case "symbol":
      return arithmetic.symbol(expression.name);
    case "sum":
      return fold(expression.terms, arithmetic.add, arithmetic, work);
    case "product":
      return fold(expression.factors, arithmetic.multiply, arithmetic, work);
    case "quotient":
      return fold([expression.top, expression.bottom], arithmetic.divide, arithmetic, work);
    case "power":
      return evaluatePower(expression, arithmetic, work);
    case "call":
      return evaluateCall(expression, arithmetic, work);
  }
}

/** Without rounding, where it is rational; see `EXACT_ARITHMETIC`. */
export const evaluateExactly = (expression: Expression, work: Work): Rational | null =>
  evaluate(expression, EXACT_ARITHMETIC, work);

function fold<V>(
  parts: readonly Expression[],
  combine: (a: V, b: V) => V | null,
  arithmetic: Arithmetic<V>,
  work: Work,
): V | null {
  let value: V | null = null;
  for (const part of parts) {
    const next = evaluate(part, arithmetic, work);
    if (next === null) return null;
    value = value === null ? next : combine(value, next);
    if (value === null || !spend(work, arithmetic.costOf(value))) return null;
  }
  return value;
}

function evaluatePower<V>(
  { base, exponent }: Extract<Expression, { kind: "power" }>,
  arithmetic: Arithmetic<V>,
  work: Work,
): V | null {
  const value = evaluate(base, arithmetic, work);
  if (value === null || !spend(work, arithmetic.functionCost("power"))) return null;
  const exact = evaluateExactly(exponent, work);
  if (exact !== null) return arithmetic.power(value, null, exact);
  const inexact = evaluate(exponent, arithmetic, work);
  return inexact === null ? null : arithmetic.power(value, inexact, null);
}

/** What comes out whole, such as 5! or a root of 16, needs no function of this kind of number. */
function evaluateCall<V>(
  expression: Extract<Expression, { kind: "call" }>,
  arithmetic: Arithmetic<V>,
  work: Work,
): V | null {
  if (!spend(work, arithmetic.functionCost(expression.name))) return null;
  const args: V[] = [];
  for (const arg of expression.args) {
    const value = evaluate(arg, arithmetic, work);
    if (value === null) return null;
    args.push(value);
  }
  const value = arithmetic.call(expression.name, args);
  if (value !== null || (arithmetic as Arithmetic<unknown>) === EXACT_ARITHMETIC) return value;
  const exact = evaluateExactly(expression, work);
  return exact === null ? null : arithmetic.rational(exact);
}
