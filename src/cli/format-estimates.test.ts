import { expect, test } from "vitest";
import { formatEstimates } from "./format-estimates.ts";

test("a table of what was computed, why not all, and what it took", () => {
  const costs = [
    { name: "luq", computed: 3, missing: { entailment: 7 }, durationMs: 1.234, nliPairs: 120 },
    { name: "regular_entropy", computed: 9, missing: { finite: 1 }, durationMs: 12, nliPairs: 0 },
  ];
  expect(formatEstimates({ questions: 10, costs }).split("\n")).toEqual([
    "estimate         questions     time  NLI pairs  missing",
    "luq                3 of 10   1.2 ms        120  an NLI model's verdicts on all pairs of answers, in 7",
    "regular_entropy    9 of 10  12.0 ms             infinite or undefined in 1",
  ]);
});
