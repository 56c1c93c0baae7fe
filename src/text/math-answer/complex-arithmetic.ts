import { Decimal } from "decimal.js";
import type { Arithmetic } from "./arithmetic.ts";
import { type Complex, createComplexField, isReal, MAX_ANGLE } from "./complex-field.ts";
import type { ConstantName } from "./expression.ts";
import { sampleValue } from "./sample-value.ts";

/** As many again are left to tell a difference from rounding; see `identical`. */
export const DIGITS = 30;

/**
 * Complex numbers to many digits; see `ComplexField` for which value a root has. Of inverse functions only real
 * values are known.
 * @param digits significant digits of each operation
 * @param point which choice of the symbols' values; over four of them, each has either sign
 */
export function createComplexArithmetic({
  digits = DIGITS,
  point = 0,
}: {
  readonly digits?: number;
  readonly point?: number;
} = {}): Arithmetic<Complex> {
  const D = Decimal.clone({ precision: digits, defaults: true });
  const { real, fraction, add, multiply, divide, exp, log, power } = createComplexField(D);
  const imaginary = (value: Decimal.Value): Complex => ({ re: new D(0), im: new D(value) });

  /** (e^iz + sign e^-iz) / over, which is the sine or cosine of any z. */
  const wave = (z: Complex, sign: 1 | -1, over: Complex): Complex | null => {
    const [up, down] = [exp({ re: z.im.neg(), im: z.re }), exp({ re: z.im, im: z.re.neg() })];
    return up === null || down === null ? null : divide(add(up, multiply(down, real(sign))), over);
  };
  const ofReal =
    (f: (x: Decimal) => Decimal, isIn: (x: Decimal) => boolean = () => true) =>
    (z: Complex): Complex | null =>
      isReal(z) && isIn(z.re) ? real(f(z.re)) : null;
  const isAngle = (x: Decimal): boolean => x.abs().lte(MAX_ANGLE);
  const isSine = (x: Decimal): boolean => x.abs().lte(1);
  const sine = ofReal((x) => x.sin(), isAngle);
  const cosine = ofReal((x) => x.cos(), isAngle);
  const choose =
    (f: (...values: Decimal[]) => Decimal) =>
    (...args: readonly Complex[]): Complex | null =>
      args.every(isReal) ? real(f(...args.map(({ re }) => re))) : null;

  const functions = new Map<string, (...args: readonly [Complex, ...Complex[]]) => Complex | null>([
    ["log", log],
    ["sin", (z) => sine(z) ?? wave(z, -1, imaginary(2))],
    ["cos", (z) => cosine(z) ?? wave(z, 1, real(2))],
    ["asin", ofReal((x) => x.asin(), isSine)],
    ["acos", ofReal((x) => x.acos(), isSine)],
    ["atan", ofReal((x) => x.atan())],
    ["abs", (z) => real(D.hypot(z.re, z.im))],
    ["floor", ofReal((x) => x.floor())],
    ["ceiling", ofReal((x) => x.ceil())],
    ["max", choose((...values) => D.max(...values))],
    ["min", choose((...values) => D.min(...values))],
  ]);
  const constants: Readonly<Record<ConstantName, () => Complex | null>> = {
    pi: () => real(D.acos(-1)),
    e: () => real(D.exp(1)),
    i: () => imaginary(1),
    infinity: () => null,
  };
  return {
    rational: fraction,
    constant: (name) => constants[name](),
    symbol: (name) => real(sampleValue(name, point)),
    add,
    multiply,
    divide,
    power,
    call: (name, [first, ...others]) =>
      first === undefined ? null : (functions.get(name)?.(first, ...others) ?? null),
    costOf: () => 20,
    functionCost: (name) => digits * (SLOW.has(name) ? 100 : 12),
  };
}

/** Functions that take an arctangent, which is ten times as slow as a logarithm. */
const SLOW = new Set(["asin", "acos", "atan"]);
