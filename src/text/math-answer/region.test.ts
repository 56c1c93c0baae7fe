import { Decimal } from "decimal.js";
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  complementOf,
  intersectRegions,
  interval,
  REAL_LINE,
  type RealInterval,
  type Region,
  sameRegion,
  uniteIntervals,
} from "./region.ts";

const END = fc.integer({ min: -4, max: 4 });
const INTERVAL: fc.Arbitrary<RealInterval> = fc
  .tuple(END, END, fc.boolean(), fc.boolean())
  .map(([a, b, lowClosed, highClosed]) =>
    interval(new Decimal(Math.min(a, b)), new Decimal(Math.max(a, b)), { lowClosed, highClosed }),
  );
const INTERVALS = fc.array(INTERVAL, { maxLength: 5 });

const holds = (region: Region, x: number): boolean =>
  region.some(
    ({ low, high, lowClosed, highClosed }) =>
      (low.lt(x) || (lowClosed && low.eq(x))) && (high.gt(x) || (highClosed && high.eq(x))),
  );
/** Every end that can occur, and what lies between and beyond them. */
const POINTS = Array.from({ length: 21 }, (_, at) => at / 2 - 5);

it("unites, intersects and complements point by point", () => {
  fc.assert(
    fc.property(INTERVALS, INTERVALS, (first, second) => {
      const [a, b] = [uniteIntervals(first), uniteIntervals(second)];
      for (const x of POINTS) {
        expect(holds(a, x)).toBe(holds(first, x));
        expect(holds(uniteIntervals([...a, ...b]), x)).toBe(holds(a, x) || holds(b, x));
        expect(holds(intersectRegions(a, b), x)).toBe(holds(a, x) && holds(b, x));
        expect(holds(complementOf(a), x)).toBe(!holds(a, x));
      }
    }),
    { seed: 1 },
  );
});

it("writes a set in one way only", () => {
  fc.assert(
    fc.property(INTERVALS, INTERVALS, (first, second) => {
      const [a, b] = [uniteIntervals(first), uniteIntervals(second)];
      expect(sameRegion(a, b)).toBe(POINTS.every((x) => holds(a, x) === holds(b, x)));
      expect(sameRegion(a, complementOf(complementOf(a)))).toBe(true);
      expect(sameRegion(REAL_LINE, uniteIntervals([...a, ...complementOf(a)]))).toBe(true);
    }),
    { seed: 1 },
  );
});
