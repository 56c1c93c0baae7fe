import fc from "fast-check";
import { expect, test } from "vitest";
import { planBatches } from "./encoder.ts";

test("texts of similar length stand together, the longest first", () => {
  expect(planBatches([3, 10, 9, 2, 3], 20)).toEqual([
    [1, 2],
    [0, 4, 3],
  ]);
  expect(planBatches([], 20)).toEqual([]);
  expect(planBatches([50, 60], 20)).toEqual([[1], [0]]);
});

test("every text once, and no batch larger than allowed unless it is a single text", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 100 })),
      fc.integer({ min: 1, max: 400 }),
      (lengths, most) => {
        const batches = planBatches(lengths, most);
        expect(batches.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, index) => index));
        for (const batch of batches) {
          const longest = Math.max(...batch.map((index) => lengths[index] as number));
          if (batch.length > 1) expect(batch.length * longest).toBeLessThanOrEqual(most);
        }
      },
    ),
    { seed: 1 },
  );
});
