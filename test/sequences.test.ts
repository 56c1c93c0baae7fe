import { afterAll, beforeAll, expect, it } from "vitest";
import { type CleanRuns, openCleanRuns, runSequence } from "./random-sequences.ts";

/** A small sample; `npm run test:long` tries 200 more. */
const SEEDS = [1, 2];

let oracle: CleanRuns;
beforeAll(async () => {
  oracle = await openCleanRuns();
});
afterAll(() => oracle[Symbol.asyncDispose]());

it.each(SEEDS)(
  "sequence %i of commands, kills and edits ends as a clean run does, or in a refusal",
  async (seed) => {
    const { compared } = await runSequence(seed, { commands: 4, oracle });
    expect(compared).toBeGreaterThan(0);
  },
);
