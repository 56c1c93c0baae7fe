import type { Decimal } from "decimal.js";
import { createComplexArithmetic, DIGITS, sizeOf } from "./complex-arithmetic.ts";
import { type Arithmetic, evaluate, evaluateExactly, type Work } from "./evaluate.ts";
import { contains, type Expression } from "./expression.ts";
import { compareRationals, type Rational } from "./rational.ts";

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

/**
 * Numbers modulo a prime of 127 bits. A rational expression in symbols has one value here for each choice of the
 * symbols' values, whatever the size of its powers. Two expressions that are not identical differ at a random
 * point, but for a chance of about their degree in 2^127 (Schwartz 1980). pi and e are symbols like any other,
 * as they satisfy no rational equation; i is a root of -1, which this prime has.
 * @param point which choice of values
 */
const createModularArithmetic = (point: number): Arithmetic<bigint> => ({
  rational: ({ top, bottom }: Rational) => {
    const inverse = invert(reduce(bottom));
    return inverse === null ? null : reduce(reduce(top) * inverse);
  },
  constant: (name) =>
    name === "infinity" ? null : name === "i" ? ROOT_OF_MINUS_ONE : elementFor(name, point),
  symbol: (name) => elementFor(`${name}?`, point),
  add: (a, b) => reduce(a + b),
  multiply: (a, b) => reduce(a * b),
  divide: (a, b) => {
    const inverse = invert(b);
    return inverse === null ? null : reduce(a * inverse);
  },
  power: (base, _, exact) => {
    if (exact === null || exact.bottom !== 1n || (base === 0n && exact.top <= 0n)) return null;
    const times = exact.top < 0n ? -exact.top : exact.top;
    if (times > MAX_EXPONENT) return null;
    const positive = raise(base, times);
    return exact.top < 0n ? invert(positive) : positive;
  },
  call: () => null,
  costOf: () => 2,
  functionCost: () => 50,
});

/** Drawn at random among those that are 1 modulo 4; sympy's `isprime` agrees. */
const PRIME = 138101169938819095548803505407362405093n;
const ROOT_OF_MINUS_ONE = 33041232473238884807741701084254996209n;

/** Bounds the time of a power. */
const MAX_EXPONENT = 1n << 64n;

function reduce(value: bigint): bigint {
  const rest = value % PRIME;
  return rest < 0n ? rest + PRIME : rest;
}

/** By Euclid's algorithm. */
function invert(value: bigint): bigint | null {
  let [low, high] = [value, PRIME];
  let [x, y] = [1n, 0n];
  while (low > 1n) {
    const times = high / low;
    [low, high] = [high - times * low, low];
    [x, y] = [y - times * x, x];
  }
  return low === 1n ? reduce(x) : null;
}

function raise(base: bigint, exponent: bigint): bigint {
  let value = 1n;
  let square = base;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) value = reduce(value * square);
    square = reduce(square * square);
  }
  return value;
}

/** The same for the same name and point, and else without any relation. */
function elementFor(name: string, point: number): bigint {
  let value = BigInt(point + 1);
  for (const char of name) value = reduce((value + BigInt(char.codePointAt(0) as number)) * MULTIPLIER + 1n);
  return reduce(value * value * MULTIPLIER);
}

/** 2^127 over the golden ratio, and odd. */
const MULTIPLIER = 105153034264701436582868184942006166555n;
