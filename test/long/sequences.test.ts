import { afterAll, beforeAll, expect, it } from "vitest";
import { type CleanRuns, openCleanRuns, runSequence } from "../random-sequences.ts";

/** Beyond those of `test/sequences.test.ts`. */
const SEEDS = Array.from({ length: 200 }, (_, i) => 100 + i);

let oracle: CleanRuns;
beforeAll(async () => {
  oracle = await openCleanRuns();
});
afterAll(() => oracle[Symbol.asyncDispose]());

it.each(SEEDS)("sequence %i ends as a clean run does, or in a refusal", async (seed) => {
  const { compared } = await runSequence(seed, { commands: 8, oracle });
  expect(compared).toBeGreaterThan(0);
});
