import { afterAll, beforeAll, expect } from "vitest";
import { eachSampled } from "./each-sampled.ts";
import { type CleanRuns, openCleanRuns, runSequence } from "./random-sequences.ts";

/** The first is short, for `npm test`; `npm run test:long` tries 200 more. */
const SEQUENCES = Array.from(
  { length: 201 },
  (_, i) => [1 + i, i === 0 ? 1 : 8] as [seed: number, commands: number],
);

let oracle: CleanRuns;
beforeAll(async () => {
  oracle = await openCleanRuns();
});
afterAll(() => oracle[Symbol.asyncDispose]());

eachSampled(SEQUENCES)(
  "sequence %i of %i commands, kills and edits ends as a clean run does, or in a refusal",
  async (seed, commands) => {
    const { compared } = await runSequence(seed, { commands, oracle });
    expect(compared).toBeGreaterThan(0);
  },
  600_000,
);
