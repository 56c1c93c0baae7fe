import { afterAll, beforeAll, expect, it } from "vitest";
import { type CleanRuns, openCleanRuns, runSequence } from "./random-sequences.ts";

/** A small sample; `npm run test:long` tries 200. */
const SEEDS = [1, 2, 3];

let oracle: CleanRuns;
beforeAll(async () => {
  oracle = await openCleanRuns();
});
afterAll(() => oracle[Symbol.asyncDispose]());

it.each(SEEDS)(
  "sequence %i of commands, kills and edits ends as a clean run does, or in a refusal",
  async (seed) => {
    const { log, compared } = await runSequence(seed, { commands: 6, oracle });
    if (process.env.SEP_DEBUG === "1") console.log(log.join("\n"));
    expect(compared).toBeGreaterThan(0);
  },
);
