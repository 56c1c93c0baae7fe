import type { Arithmetic } from "./arithmetic.ts";
import type { Rational } from "./rational.ts";

/**
 * Numbers modulo a prime of 127 bits. A rational expression in symbols has one value here for each choice of the
 * symbols' values, whatever the size of its powers. Two expressions that are not identical differ at a random
 * point, but for a chance of about their degree in 2^127 (Schwartz 1980). pi and e are symbols like any other,
 * as they satisfy no rational equation; i is a root of -1, which this prime has.
 * @param point which choice of values
 */
export const createModularArithmetic = (point: number): Arithmetic<bigint> => ({
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
