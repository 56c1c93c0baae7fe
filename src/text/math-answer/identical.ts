import type { Decimal } from "decimal.js";
import type { Work } from "./arithmetic.ts";
import { createComplexArithmetic, DIGITS } from "./complex-arithmetic.ts";
import { sizeOf } from "./complex-field.ts";
import { evaluate, evaluateExactly } from "./evaluate.ts";
import { contains, type Expression } from "./expression.ts";
import { createModularArithmetic } from "./modular-arithmetic.ts";
import { compareRationals } from "./rational.ts";

/**
 * Whether two expressions have the same value, whatever the values of their symbols. In this order:
 * 1. Both are fractions: exact.
 * 2. Both are rational expressions in symbols, pi, e and i: at two points modulo a prime of 127 bits; exact but
 *    for a chance of about the degree in 2^127.
 * 3. Else in complex numbers of 30 digits, at four points if there are symbols and, where these agree, of 60 digits
 *    at two of them. A difference that shrinks with the precision is none. Two different constants would have to
 *    agree to some 40 digits to pass for one.
 * @returns null if that cannot be worked out: something has no value, or `work` did not suffice
 */
export function identical(a: Expression, b: Expression, work: Work): boolean | null {
  const [exactA, exactB] = [evaluateExactly(a, work), evaluateExactly(b, work)];
  if (exactA !== null && exactB !== null) return compareRationals(exactA, exactB) === 0;
  return identicalModulo(a, b, work) ?? identicalInDigits(a, b, work);
}

function identicalModulo(a: Expression, b: Expression, work: Work): boolean | null {
  for (let point = 0; point < 2; point++) {
    const arithmetic = createModularArithmetic(point);
    const [valueA, valueB] = [evaluate(a, arithmetic, work), evaluate(b, arithmetic, work)];
    if (valueA === null || valueB === null) return null;
    if (valueA !== valueB) return false;
  }
  return true;
}

function identicalInDigits(a: Expression, b: Expression, work: Work): boolean | null {
  const hasSymbols = [a, b].some((each) => contains(each, ({ kind }) => kind === "symbol"));
  const defined: { readonly point: number; readonly coarse: Distance }[] = [];
  for (let point = 0; point < (hasSymbols ? POINTS : 1); point++) {
    const coarse = distance(createComplexArithmetic({ point }), a, b, work);
    if (coarse === null) continue;
    if (coarse.apart.gt(coarse.size.times("1e-6")) && coarse.apart.gt("1e-15")) return false;
    defined.push({ point, coarse });
  }
  const checked = defined.slice(0, 2);
  for (const { point, coarse } of checked) {
    const fine = distance(createComplexArithmetic({ point, digits: 2 * DIGITS }), a, b, work);
    if (fine === null) return null;
    const vanishes = fine.apart.lte(coarse.apart.times("1e-15")) || fine.apart.lte(fine.size.times("1e-40"));
    if (!vanishes) return false;
  }
  return checked.length === (hasSymbols ? 2 : 1) ? true : null;
}

/** As many as the choices of signs. */
const POINTS = 4;

interface Distance {
  readonly apart: Decimal;
  /** Of the larger of the two. */
  readonly size: Decimal;
}

function distance(
  arithmetic: ReturnType<typeof createComplexArithmetic>,
  a: Expression,
  b: Expression,
  work: Work,
): Distance | null {
  const [x, y] = [evaluate(a, arithmetic, work), evaluate(b, arithmetic, work)];
  if (x === null || y === null) return null;
  const [sizeX, sizeY] = [sizeOf(x), sizeOf(y)];
  return {
    apart: sizeOf({ re: x.re.minus(y.re), im: x.im.minus(y.im) }),
    size: sizeX.gt(sizeY) ? sizeX : sizeY,
  };
}
