import type { ConstantName } from "./expression.ts";
import type { Rational } from "./rational.ts";

/**
 * What it takes to work an expression out in some kind of number. Each operation gives null where it has no value:
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
