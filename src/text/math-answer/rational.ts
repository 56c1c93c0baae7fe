/** An exact fraction in lowest terms; `bottom` is positive. */
export interface Rational {
  readonly top: bigint;
  readonly bottom: bigint;
}

/** Some 1200 digits, more than any answer writes out. Bounds the time of every operation. */
const MAX_BITS = 4096;

/** 2^4096 is out of range, so no larger exponent is worth trying. */
const MAX_EXPONENT = BigInt(MAX_BITS);

/** @returns null if `bottom` is 0 or either number has more than 4096 bits */
export function rational(top: bigint, bottom = 1n): Rational | null {
  if (bottom === 0n || tooLarge(top) || tooLarge(bottom)) return null;
  if (bottom === 1n) return { top, bottom };
  const shared = greatestDivisor(top, bottom) * (bottom < 0n ? -1n : 1n);
  return { top: top / shared, bottom: bottom / shared };
}

export const integer = (value: number): Rational => ({ top: BigInt(value), bottom: 1n });

export const addRationals = (a: Rational, b: Rational): Rational | null =>
  rational(a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom);

export const multiplyRationals = (a: Rational, b: Rational): Rational | null =>
  rational(a.top * b.top, a.bottom * b.bottom);

export const divideRationals = (a: Rational, b: Rational): Rational | null =>
  rational(a.top * b.bottom, a.bottom * b.top);

/**
 * The power where it is rational itself: `4^(1/2)`, `(-8)^(1/3)` with its real root.
 * @returns null if it is not, is undefined, or is too large
 */
export function powerOfRational(base: Rational, exponent: Rational): Rational | null {
  const root = exponent.bottom === 1n ? base : rootOfRational(base, exponent.bottom);
  const times = exponent.top < 0n ? -exponent.top : exponent.top;
  if (root === null || times > MAX_EXPONENT) return null;
  if (BigInt(Math.max(bits(root.top), bits(root.bottom)) - 1) * times > MAX_EXPONENT) return null;
  if (exponent.top <= 0n && root.top === 0n) return null;
  const [top, bottom] = [root.top ** times, root.bottom ** times];
  if (exponent.top >= 0n) return { top, bottom };
  return top < 0n ? { top: -bottom, bottom: -top } : { top: bottom, bottom: top };
}

/** The real root if it is rational, else null; of a negative number for odd indices only. */
function rootOfRational(radicand: Rational, index: bigint): Rational | null {
  if (index > MAX_INDEX) return null;
  const top = integerRoot(radicand.top, index);
  const bottom = integerRoot(radicand.bottom, index);
  return top === null || bottom === null ? null : { top, bottom };
}

/** Newton's method takes about as many steps as the index. */
const MAX_INDEX = 64n;

export const greatestDivisor = (a: bigint, b: bigint): bigint => {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
};

export const floorOfRational = ({ top, bottom }: Rational): bigint => {
  const towardsZero = top / bottom;
  return top < 0n && towardsZero * bottom !== top ? towardsZero - 1n : towardsZero;
};

export const compareRationals = (a: Rational, b: Rational): number => {
  const difference = a.top * b.bottom - b.top * a.bottom;
  return difference === 0n ? 0 : difference < 0n ? -1 : 1;
};

/** By Newton's method from above. */
function integerRoot(radicand: bigint, index: bigint): bigint | null {
  if (radicand < 0n) {
    const root = index % 2n === 1n ? integerRoot(-radicand, index) : null;
    return root === null ? null : -root;
  }
  if (radicand < 2n) return radicand;
  let root = 1n << (BigInt(bits(radicand)) / index + 1n);
  for (;;) {
    const next = ((index - 1n) * root + radicand / root ** (index - 1n)) / index;
    if (next >= root) return root ** index === radicand ? root : null;
    root = next;
  }
}

const bits = (value: bigint): number => (value < 0n ? -value : value).toString(2).length;

const tooLarge = (value: bigint): boolean => {
  const magnitude = value < 0n ? -value : value;
  return magnitude >= 1n << MAX_EXPONENT;
};
