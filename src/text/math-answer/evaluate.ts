import type { ConstantName, Expression } from "./expression.ts";
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

/**
 * The value of an expression in some kind of number.
 * @returns null if it has none there, or `work` does not suffice
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

/**
 * What it takes to work an expression out in some kind of number. Each operation gives null if it has no value:
 * a division by zero, a number out of range, something this kind of number cannot express.
 */
export interface Arithmetic<V> {
  readonly rational: (value: Rational) => V | null;
  readonly constant: (name: ConstantName) => V | null;
  readonly symbol: (name: string) => V | null;
  readonly add: (a: V, b: V) => V | null;
  readonly multiply: (a: V, b: V) => V | null;
  readonly divide: (a: V, b: V) => V | null;
  /** @param exact the exponent as a fraction, where it is one; only then may `exponent` be null */
  readonly power: (base: V, exponent: V | null, exact: Rational | null) => V | null;
  readonly call: (name: string, args: readonly V[]) => V | null;
  /** Units of work, about a microsecond each, that one more operation with this value costs. */
  readonly costOf: (value: V) => number;
  /** The same for a power ("power") or a function by its name. */
  readonly functionCost: (name: string) => number;
}

/** Units of work that are left; whoever works takes from it, and stops when it is empty. */
export interface Work {
  left: number;
}

/** @returns whether there was enough left */
export function spend(work: Work, units: number): boolean {
  work.left -= units;
  return work.left >= 0;
}

/** Fractions without rounding. Symbols, pi and e have no value here, nor have irrational roots. */
const EXACT_ARITHMETIC: Arithmetic<Rational> = {
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
