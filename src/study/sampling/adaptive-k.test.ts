import fc from "fast-check";
import { expect, test } from "vitest";
import { createFakeMeaningModels } from "../../../test/fakes/fake-meaning-models.ts";
import { makeRun } from "../../../test/fakes/make-run.ts";
import { createTableEntailer } from "../../../test/fakes/table-entailer.ts";
import { drain } from "../../checkpoint/hub/drain.ts";
import { discreteSemanticEntropy } from "../../entropy/discrete-semantic-entropy.ts";
import { clusterAnswers } from "../../meaning/cluster-answers.ts";
import { createMathEquivalence } from "../../meaning/math-equivalence.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { type AdaptiveK, type AdaptiveOptions, openAdaptiveK } from "./adaptive-k.ts";
import { sampleQuestion } from "./sample-question.ts";

const QUESTION = { id: "q1", question: "?", answer: "x" };

const open = (
  total: number,
  options: AdaptiveOptions,
  correctness: RunRecord["correctness"] = "math",
): Promise<AdaptiveK> => drain(openAdaptiveK(total, correctness, options));

const runsOf = (answers: readonly (string | null)[]): RunRecord[] =>
  answers.map((answer, run_id) => makeRun({ run_id, extracted_answer: answer }));

/** Draws from a list of all K answers. @returns run ids in the order drawn, a list a round */
async function drawFrom(all: readonly RunRecord[], adaptive: AdaptiveK, there: readonly RunRecord[] = []) {
  const rounds: (readonly number[])[] = [];
  const sample = async (_question: unknown, runIds: readonly number[]) => {
    rounds.push(runIds);
    return runIds.map((id) => all[id]!);
  };
  const drawn = await sampleQuestion(sample, QUESTION, there, adaptive.nextRunIds);
  return { rounds, runs: [...there, ...drawn].toSorted((a, b) => a.run_id - b.run_id) };
}

const entropyOf = async (runs: readonly RunRecord[]): Promise<number> => {
  const answers = runs.map((run) => run.extracted_answer);
  const { clusterIds } = await clusterAnswers(answers, createMathEquivalence(), { question: "?" });
  return discreteSemanticEntropy(clusterIds);
};

test("worked by hand: agreement is decided late, disagreement early", async () => {
  const adaptive = await open(10, { seThreshold: 0.5 });
  // Three that differ have 0.639 nats at least (1 1 8). Of ten, nine that agree leave 0.325 at most, eight 0.639.
  const agreeing = runsOf(Array.from({ length: 10 }, () => "4"));
  expect((await drawFrom(agreeing, adaptive)).rounds).toEqual([
    [0, 1, 2],
    [3, 4],
    [5, 6],
    [7, 8],
  ]);
  const differing = runsOf(Array.from({ length: 10 }, (_, i) => String(i)));
  expect((await drawFrom(differing, adaptive)).rounds).toEqual([[0, 1, 2]]);
  // After nine, 8 1 may become 9 1 with 0.325 or 8 1 1 with 0.639.
  const undecided = runsOf([..."1112111111"]);
  expect((await drawFrom(undecided, await open(10, { seThreshold: 0.49 }))).runs.length).toBe(10);
});

const someAnswers = fc.array(fc.constantFrom("1", "2", "3", "4", null), { minLength: 10, maxLength: 10 });
const someThreshold = fc.constantFrom(0, 0.3, 0.5, 0.7, 1, 1.2, 2);

test("what is drawn is the beginning of all K, and decides as all K do", async () => {
  await fc.assert(
    fc.asyncProperty(someAnswers, someThreshold, async (answers, seThreshold) => {
      const all = runsOf(answers);
      const { runs } = await drawFrom(all, await open(10, { seThreshold }));
      expect(runs).toEqual(all.slice(0, runs.length));
      expect(runs.length).toBeGreaterThanOrEqual(2);
      expect((await entropyOf(runs)) > seThreshold).toBe((await entropyOf(all)) > seThreshold);
    }),
    { seed: 1 },
  );
});

test("where it stops does not depend on what was there before it went on", async () => {
  await fc.assert(
    fc.asyncProperty(
      someAnswers,
      someThreshold,
      fc.subarray([0, 1, 2, 3, 4, 5]),
      async (answers, seThreshold, ids) => {
        const all = runsOf(answers);
        const adaptive = await open(10, { seThreshold });
        const { runs: fresh } = await drawFrom(all, adaptive);
        const there = ids.filter((id) => id < fresh.length).map((id) => all[id]!);
        expect((await drawFrom(all, adaptive, there)).runs).toEqual(fresh);
      },
    ),
    { seed: 1 },
  );
});

test("answers that are there are not drawn again, and none are dropped", async () => {
  const all = runsOf(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
  const { rounds, runs } = await drawFrom(all, await open(10, { seThreshold: 0.5 }), all);
  expect(rounds).toEqual([]);
  expect(runs).toEqual(all);
});

test("open answers: the model of inference decides what agrees, and is closed in the end", async () => {
  const entailer = createTableEntailer({
    "Paris > It is Paris": "entailment",
    "It is Paris > Paris": "entailment",
  });
  const models = createFakeMeaningModels({ entailer });
  const adaptive = await open(4, { seThreshold: 0.6, models }, "contains");
  expect(adaptive.settings).toMatchObject({ se_threshold: 0.6, equivalence: { name: "hybrid" } });
  const all = runsOf(["Paris", "It is Paris", "Paris", "Lyon"]);
  // two of four that differ have 0.56 nats at least; three that agree have 0.56 at most
  expect((await drawFrom(all, adaptive)).runs.length).toBe(3);
  await adaptive[Symbol.asyncDispose]();
  expect(models.log).toEqual(["open entailer default", "close entailer"]);
});

test.each<[AdaptiveOptions, RegExp]>([
  [{ seThreshold: 2.4 }, /2\.4 nats, expected from 0 to below 2\.303/],
  [{ seThreshold: -1 }, /expected from 0/],
  [{ seThreshold: 1, meaning: { clustering: "components" } }, /Use greedy/],
  [{ seThreshold: 1, meaning: { equivalence: "judge" } }, /--judge-model/],
])("%j is a bad option", async (options, message) => {
  await expect(open(10, options)).rejects.toMatchObject({ code: "bad-option", message });
});
