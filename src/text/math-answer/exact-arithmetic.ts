import type { Arithmetic } from "./arithmetic.ts";
import {
  addRationals,
  compareRationals,
  divideRationals,
  floorOfRational,
  greatestDivisor,
  integer,
  multiplyRationals,
  powerOfRational,
  type Rational,
  rational,
} from "./rational.ts";

/** Fractions without rounding. Symbols, pi and e have no value here, nor have irrational roots. */
export const EXACT_ARITHMETIC: Arithmetic<Rational> = {
  rational: (value) => value,
  constant: () => null,
  symbol: () => null,
  add: addRationals,
  multiply: multiplyRationals,
  divide: divideRationals,
  power: (base, _, exact) => (exact === null ? null : powerOfRational(base, exact)),
  call: (name, args) => FUNCTIONS.get(name)?.(args) ?? null,
  costOf: ({ bottom }) => (bottom < LONG ? 1 : LONG_COST),
  functionCost: (name) => (name === "factorial" || name === "binomial" ? 500 : 50),
};

/** Denominators of more than 64 bits, and what it takes to bring those of 4096 to lowest terms. */
const LONG = 1n << 64n;
const LONG_COST = 1000;

const FUNCTIONS: ReadonlyMap<string, (args: readonly Rational[]) => Rational | null> = new Map([
  ["abs", ([x]) => (x === undefined ? null : { top: x.top < 0n ? -x.top : x.top, bottom: x.bottom })],
  ["floor", ([x]) => (x === undefined ? null : { top: floorOfRational(x), bottom: 1n })],
  [
    "ceiling",
    ([x]) =>
      x === undefined ? null : { top: -floorOfRational({ top: -x.top, bottom: x.bottom }), bottom: 1n },
  ],
  ["factorial", ([n]) => (n === undefined ? null : factorial(n))],
  ["binomial", ([n, k]) => (n === undefined || k === undefined ? null : binomial(n, k))],
  ["gcd", (args) => foldWhole(args, greatestDivisor)],
  ["lcm", (args) => foldWhole(args, (a, b) => (a === 0n || b === 0n ? 0n : (a / greatestDivisor(a, b)) * b))],
  ["max", (args) => foldBy(args, (a, b) => (compareRationals(a, b) >= 0 ? a : b))],
  ["min", (args) => foldBy(args, (a, b) => (compareRationals(a, b) <= 0 ? a : b))],
]);

/** 500! has 3768 bits; 600! would be out of range. */
const MAX_FACTORIAL = 500n;

function factorial({ top, bottom }: Rational): Rational | null {
  if (bottom !== 1n || top < 0n || top > MAX_FACTORIAL) return null;
  let value = 1n;
  for (let n = 2n; n <= top; n++) value *= n;
  return rational(value);
}

function binomial(n: Rational, k: Rational): Rational | null {
  if (n.bottom !== 1n || k.bottom !== 1n || n.top < 0n || k.top < 0n || n.top > MAX_CHOICES) return null;
  if (k.top > n.top) return integer(0);
  const fewer = k.top * 2n > n.top ? n.top - k.top : k.top;
  let value = 1n;
  for (let at = 1n; at <= fewer; at++) value = (value * (n.top - fewer + at)) / at;
  return rational(value);
}

/** C(n, n/2) is below 2^n, and takes n/2 steps. */
const MAX_CHOICES = 2000n;

function foldWhole(args: readonly Rational[], fold: (a: bigint, b: bigint) => bigint): Rational | null {
  if (args.length === 0 || args.some(({ bottom }) => bottom !== 1n)) return null;
  const value = args.map(({ top }) => top).reduce(fold);
  return rational(value < 0n ? -value : value);
}

const foldBy = (args: readonly Rational[], fold: (a: Rational, b: Rational) => Rational): Rational | null =>
  args.length === 0 ? null : args.reduce(fold);
