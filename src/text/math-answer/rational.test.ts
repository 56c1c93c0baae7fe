import fc from "fast-check";
import { expect, it } from "vitest";
import {
  addRationals,
  compareRationals,
  divideRationals,
  floorOfRational,
  integer,
  multiplyRationals,
  powerOfRational,
  type Rational,
  rational,
} from "./rational.ts";

const RATIONAL: fc.Arbitrary<Rational> = fc
  .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.bigInt({ min: 1n, max: 10n ** 20n }))
  .map(([top, bottom]) => rational(top, bottom) as Rational);
const some = (value: Rational | null): Rational => value as Rational;

it("adds and multiplies as fractions do, in lowest terms", () => {
  fc.assert(
    fc.property(RATIONAL, RATIONAL, (a, b) => {
      const sum = some(addRationals(a, b));
      expect(sum.top * a.bottom * b.bottom).toBe((a.top * b.bottom + b.top * a.bottom) * sum.bottom);
      expect(rational(sum.top * 6n, sum.bottom * -6n)).toEqual({ top: -sum.top, bottom: sum.bottom });
      if (b.top !== 0n) expect(multiplyRationals(some(divideRationals(a, b)), b)).toEqual(a);
      expect(compareRationals(a, b)).toBe(-compareRationals(b, a) + 0);
      const floor = { top: floorOfRational(a), bottom: 1n };
      expect(compareRationals(floor, a)).toBeLessThanOrEqual(0);
      expect(compareRationals(some(addRationals(floor, integer(1))), a)).toBe(1);
    }),
    { seed: 1 },
  );
});

it("takes the roots of powers, and no others", () => {
  fc.assert(
    fc.property(RATIONAL, fc.bigInt({ min: 2n, max: 9n }), (base, index) => {
      const power = some(powerOfRational(base, { top: index, bottom: 1n }));
      const isLost = base.top < 0n && index % 2n === 0n;
      const root = powerOfRational(power, { top: 1n, bottom: index });
      expect(root).toEqual(isLost ? { top: -base.top, bottom: base.bottom } : base);
      if (power.top > 0n)
        expect(
          powerOfRational({ top: power.top * 2n ** 10n * 3n, bottom: 1n }, { top: 1n, bottom: 11n }),
        ).toBeNull();
    }),
    { seed: 1 },
  );
});

it.each<[top: bigint, bottom: bigint, exponentTop: bigint, exponentBottom: bigint, Rational | null]>([
  [-8n, 27n, -2n, 3n, { top: 9n, bottom: 4n }],
  [-8n, 1n, -1n, 3n, { top: -1n, bottom: 2n }],
  [-4n, 1n, 1n, 2n, null],
  [0n, 1n, 0n, 1n, null],
  [0n, 1n, -1n, 1n, null],
  [2n, 1n, 4095n, 1n, { top: 2n ** 4095n, bottom: 1n }],
  [2n, 1n, 5000n, 1n, null],
  [-1n, 1n, 4001n, 1n, integer(-1)],
])("(%s/%s)^(%s/%s)", (top, bottom, exponentTop, exponentBottom, expected) => {
  expect(powerOfRational(some(rational(top, bottom)), { top: exponentTop, bottom: exponentBottom })).toEqual(
    expected,
  );
});

it("has bounds", () => {
  expect(rational(1n, 0n)).toBeNull();
  expect(rational(1n << 4096n)).toBeNull();
  expect(rational((1n << 4096n) - 1n)).not.toBeNull();
});
