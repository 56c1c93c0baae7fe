import { describe, expect, it } from "vitest";
import { measureAddedValue } from "../src/evaluation/added-value.ts";
import { type BaselineScores, scoreBaselines } from "../src/evaluation/baseline-scores.ts";
import { findShortcuts } from "../src/evaluation/checks.ts";
import { evaluateScore } from "../src/evaluation/evaluate-score.ts";
import type { SplitEvaluation } from "../src/evaluation/evaluate-split.ts";
import { normalQuantile } from "../src/math/distributions.ts";
import { createRng } from "../src/math/rng.ts";
import { findShared } from "../src/study/question-overlap.ts";
import { type Shortcut, type SimulatedStudy, simulateAnswers } from "./fakes/simulate-answers.ts";

const FORM = ["question_length", "question_text", "answer_length", "answer_text"] as const;
/** Enough for a p-value below the level of an accusation, after Holm's correction for four tests. */
const PERMUTATIONS = 499;

/** What an evaluation accuses a study of. */
function accuse(seed: number, shortcut: Shortcut): string[] {
  const study = simulateAnswers(seed, shortcut);
  const [own] = scoreBaselines(study.train, [study.test]) as [BaselineScores];
  const { incorrect, questionGroups } = study.test;
  const scores = Object.fromEntries(
    FORM.map((name) => [
      name,
      evaluateScore(name, own[name], incorrect, questionGroups, {
        resamples: 2,
        permutations: PERMUTATIONS,
        seed,
      }).evaluation,
    ]),
  ) as unknown as SplitEvaluation["scores"];
  return [...findShortcuts([{ scores }]), ...sharedOf(study)];
}

const sharedOf = ({ trainTexts, testTexts }: SimulatedStudy): string[] =>
  findShared(testTexts, trainTexts.values()).map(() => "shared question");

const PLANTED = [
  ["copied token", "answer_text"],
  ["length shift", "answer_length"],
  ["shared question", "shared question"],
] as const;

const countClean = (studies: number): number =>
  Array.from({ length: studies }, (_, seed) => accuse(seed, "none")).filter((found) => found.length > 0)
    .length;

describe("planted shortcuts are caught, and clean data are not accused", () => {
  it.each(PLANTED)("%s, in each of two studies", (shortcut, expected) => {
    for (let seed = 0; seed < 2; seed++) expect(accuse(seed, shortcut)).toContain(expected);
  });

  it("in 8 clean studies, hardly ever", () => {
    // P(more than 2 of 8) is 0.04% at the level of 2%
    expect(countClean(8)).toBeLessThanOrEqual(2);
  });

  it.each(PLANTED)(
    "%s, in each of 200 studies",
    { tags: ["long"], timeout: 600_000 },
    (shortcut, expected) => {
      const caught = Array.from({ length: 200 }, (_, seed) => accuse(seed, shortcut).includes(expected));
      expect(caught.filter(Boolean)).toHaveLength(200);
    },
  );

  it("in at most 5% of 1000 clean studies", { tags: ["long"], timeout: 900_000 }, () => {
    const accused = countClean(1000);
    console.log(`clean studies accused: ${accused} of 1000`);
    expect(accused).toBeLessThanOrEqual(50);
  });
});

describe("what a probe adds", () => {
  /** Share of studies in which a probe is found to add something. */
  function shareFound(studies: number, knowledge: number): number {
    let found = 0;
    for (let seed = 0; seed < studies; seed++) {
      const { train, test } = simulateAnswers(seed, "none");
      const [{ combined_after: baseline }] = scoreBaselines(train, [test]) as [BaselineScores];
      const rng = createRng("simulated-probe", seed);
      const noise = new Map(
        test.questionGroups.map((id) => [id, normalQuantile(0.001 + 0.998 * rng.next())]),
      );
      // the baseline once more, noise that a question's answers share, and what it knows beyond
      const probe = baseline.map(
        (value, row) => value + noise.get(test.questionGroups[row]!)! + knowledge * test.incorrect[row]!,
      );
      const added = measureAddedValue([baseline], probe, test.incorrect, test.questionGroups, {
        permutations: 99,
        seed,
      })!;
      if (added.p_value! <= 0.05) found++;
    }
    return found / studies;
  }

  it("is found where it knows more, and about as often as the level says where it does not", () => {
    expect(shareFound(4, 2)).toBe(1);
    // P(more than 3 of 8) is 0.04% at the level of 5%
    expect(shareFound(8, 0)).toBeLessThanOrEqual(0.375);
  });

  it("is found in 5% of 600 studies without", { tags: ["long"], timeout: 900_000 }, () => {
    const share = shareFound(600, 0);
    console.log(`probes that add nothing, found to add something: ${(100 * share).toFixed(1)}%`);
    // three standard errors of 0.9%
    expect(share).toBeGreaterThan(0.01);
    expect(share).toBeLessThan(0.077);
  });
});
