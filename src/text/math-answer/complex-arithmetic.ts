import { Decimal } from "decimal.js";
import type { Arithmetic } from "./evaluate.ts";
import type { ConstantName } from "./expression.ts";
import type { Rational } from "./rational.ts";

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

/**
 * A value for a symbol, to try a formula with: the same for the same name and point, 0.3 to 2.3 in size, with nine
 * digits. Over points 0 to 3 each symbol has both signs, and two symbols have them in different order, as a rule.
 */
function sampleValue(name: string, point: number): string {
  let hash = BASIS ^ Math.imul(point + 1, 0x9e3779b1);
  for (const char of name) hash = mix(hash, char);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  const size = 0.3 + (2 * ((hash ^ (hash >>> 13)) >>> 0)) / 2 ** 32;
  const signs = SIGNS[([...name].reduce(mix, BASIS) >>> 7) % SIGNS.length] as string;
  return `${signs[point % signs.length] === "-" ? "-" : ""}${size.toFixed(9)}`;
}

/** FNV-1a, 32 bits. */
const BASIS = 0x811c9dc5;
const mix = (hash: number, char: string): number =>
  Math.imul(hash ^ (char.codePointAt(0) as number), 0x01000193);

const SIGNS = ["+-+-", "++--", "+--+", "-+-+", "--++", "-++-"];

/** A complex number in decimal digits. */
export interface Complex {
  readonly re: Decimal;
  readonly im: Decimal;
}

const isReal = ({ im }: Complex): boolean => im.isZero();
const isZero = ({ re, im }: Complex): boolean => re.isZero() && im.isZero();

/** |re| + |im|, which is the absolute value but for a factor of at most 1.5. */
export const sizeOf = ({ re, im }: Complex): Decimal => re.abs().plus(im.abs());

/** Bounds the time and the size of powers; their logarithm is at most this. */
const MAX_LOGARITHM = 1e6;
const MAX_POWER_OF_TEN = 434_294; // the same to the base 10
/** Of larger angles too few digits would be left after taking off whole turns. */
const MAX_ANGLE = 1e9;
const MAX_QUICK_EXPONENT = 64;

/** The operations on complex numbers, each rounded to a number of significant digits. */
interface ComplexField {
  readonly real: (value: Decimal.Value) => Complex;
  readonly fraction: (value: Rational) => Complex;
  readonly add: (a: Complex, b: Complex) => Complex;
  readonly multiply: (a: Complex, b: Complex) => Complex;
  /** null for a division by zero */
  readonly divide: (a: Complex, b: Complex) => Complex | null;
  /** null out of range */
  readonly exp: (z: Complex) => Complex | null;
  /** The principal value; null for 0. */
  readonly log: (z: Complex) => Complex | null;
  /**
   * The principal value, but of negative numbers the real one where the exponent is a fraction with an odd
   * denominator.
   * @param exact the exponent, where it is a fraction; only then may `exponent` be null
   */
  readonly power: (base: Complex, exponent: Complex | null, exact: Rational | null) => Complex | null;
}

function createComplexField(D: typeof Decimal): ComplexField {
  const real = (value: Decimal.Value): Complex => ({ re: new D(value), im: new D(0) });
  const fraction = ({ top, bottom }: Rational): Complex => real(new D(top.toString()).div(bottom.toString()));
  const add = (a: Complex, b: Complex): Complex => ({ re: a.re.plus(b.re), im: a.im.plus(b.im) });
  const multiply = (a: Complex, b: Complex): Complex =>
    isReal(a) && isReal(b)
      ? { re: a.re.times(b.re), im: a.im }
      : {
          re: a.re.times(b.re).minus(a.im.times(b.im)),
          im: a.re.times(b.im).plus(a.im.times(b.re)),
        };
  const divide = (a: Complex, b: Complex): Complex | null => {
    if (isZero(b)) return null;
    if (isReal(b)) return { re: a.re.div(b.re), im: a.im.div(b.re) };
    const norm = b.re.times(b.re).plus(b.im.times(b.im));
    const top = multiply(a, { re: b.re, im: b.im.neg() });
    return { re: top.re.div(norm), im: top.im.div(norm) };
  };
  const log = (z: Complex): Complex | null => {
    if (isZero(z)) return null;
    if (isReal(z) && z.re.isPositive()) return real(z.re.ln());
    return { re: D.hypot(z.re, z.im).ln(), im: D.atan2(z.im, z.re) };
  };
  const exp = (z: Complex): Complex | null => {
    if (z.re.abs().gt(MAX_LOGARITHM) || z.im.abs().gt(MAX_ANGLE)) return null;
    const size = z.re.exp();
    return isReal(z) ? real(size) : { re: size.times(z.im.cos()), im: size.times(z.im.sin()) };
  };
  const squareRoot = (z: Complex): Complex => {
    const size = D.hypot(z.re, z.im);
    const halfRoot = (twice: Decimal): Decimal => D.max(0, twice).div(2).sqrt();
    const [re, im] = [halfRoot(size.plus(z.re)), halfRoot(size.minus(z.re))];
    return { re, im: z.im.lt(0) ? im.neg() : im };
  };
  /** For whole and half exponents, without a logarithm. */
  const quickPower = (base: Complex, { top, bottom }: Rational): Complex | null => {
    const times = Number(top < 0n ? -top : top);
    if (times === 0 || times > MAX_QUICK_EXPONENT || bottom > 2n) return null;
    const root = bottom === 1n ? base : squareRoot(base);
    let value = root;
    for (let at = 1; at < times; at++) value = multiply(value, root);
    return top < 0n ? divide(real(1), value) : value;
  };
  /** Null also where the principal value is not real. */
  const powerOfReal = (base: Decimal, exponent: Decimal, exact: Rational | null): Complex | null => {
    if (base.isPositive()) return real(base.pow(exponent));
    if (exact === null || exact.bottom % 2n === 0n) return null;
    const size = base.neg().pow(exponent);
    return real(exact.top % 2n === 0n ? size : size.neg());
  };
  const power: ComplexField["power"] = (base, exponent, exact) => {
    const by = exact === null ? exponent : fraction(exact);
    if (by === null) return null;
    if (isZero(base)) return isReal(by) && by.re.gt(0) ? base : null;
    const quick = exact === null ? null : quickPower(base, exact);
    if (quick !== null) return quick;
    if (isReal(base) && isReal(by)) {
      if (
        by.re
          .abs()
          .times(Math.abs(base.re.e) + 1)
          .gt(MAX_POWER_OF_TEN)
      )
        return null;
      const ofReal = powerOfReal(base.re, by.re, exact);
      if (ofReal !== null) return ofReal;
    }
    const logarithm = log(base);
    return logarithm === null ? null : exp(multiply(logarithm, by));
  };
  return { real, fraction, add, multiply, divide, exp, log, power };
}
