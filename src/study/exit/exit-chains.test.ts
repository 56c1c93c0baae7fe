import { describe, expect, it } from "vitest";
import { achieveExit, resplitExits } from "../../evaluation/evaluate-exit.ts";
import type { ForcedAnswer } from "../../samples/forced-answers.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { cutAtBudgets, findSettlement, gatherChains, policyChain } from "./exit-chains.ts";

const run = (question_id: string, changes: Partial<RunRecord> = {}): RunRecord =>
  ({
    question_id,
    run_id: 0,
    tokens: Array.from({ length: 20 }, () => 1),
    is_correct: true,
    ...changes,
  }) as RunRecord;

const forced = (
  question_id: string,
  step: number,
  answer: string,
  changes: Partial<ForcedAnswer> = {},
): ForcedAnswer => ({
  question_id,
  run_id: 0,
  step,
  span: [4 * step, 4 * step + 4],
  text: answer,
  extracted_answer: answer,
  is_correct: answer === "7",
  is_final: answer === "7",
  token_count: 3,
  mean_logprob: -0.5,
  mean_entropy: 0.25,
  ...changes,
});

/** Wrong, right, wrong, right, and right in the end. */
const [chain] = gatherChains(
  [run("q")],
  ["5", "7", "6", "7"].map((answer, step) => forced("q", step, answer)).toReversed(),
  new Map(),
);

describe("a chain as policies see it", () => {
  it("costs what is generated up to the step, and the forced answer", () => {
    const stop = policyChain(chain!, "settled-probe", "stop", [0.9, 0.2, 0.4, 0.1]);
    expect(stop.steps.map(({ cost }) => cost)).toEqual([7, 11, 15, 19]);
    expect(stop.endCost).toBe(20);
    expect(stop.steps.map(({ harm }) => harm)).toEqual([1, 0, 1, 0]);
    expect(stop.steps.map(({ score }) => score)).toEqual([0.9, 0.2, 0.4, 0.1]);
    // who gives up needs no answer
    const giveUp = policyChain(chain!, "ends-wrong-probe", "give-up", [0.9, 0.2, 0.4, 0.1]);
    expect(giveUp.steps.map(({ cost }) => cost)).toEqual([4, 8, 12, 16]);
    expect(giveUp.steps.map(({ harm }) => harm)).toEqual([1, 1, 1, 1]);
    expect(giveUp.steps[0]!.score).toBe(-0.9);
  });

  it("pays for the answers that a policy has to look at, those of earlier steps included", () => {
    const agreement = policyChain(chain!, "agreement", "stop", []);
    expect(agreement.steps.map(({ cost }) => cost)).toEqual([7, 14, 21, 28]);
    expect(agreement.endCost).toBe(32);
    expect(policyChain(chain!, "entropy", "give-up", []).steps[1]!.cost).toBe(14);
  });

  it("counts how often the answer was the same in a row", () => {
    const same = gatherChains(
      [run("q")],
      ["7", "7", "7", "6"].map((answer, i) => forced("q", i, answer)),
      new Map(),
    );
    expect(policyChain(same[0]!, "agreement", "stop", []).steps.map(({ score }) => score)).toEqual([
      -1, -2, -3, -1,
    ]);
    expect(policyChain(chain!, "budget", "stop", []).steps.map(({ score }) => score)).toEqual([
      -4, -8, -12, -16,
    ]);
    expect(policyChain(chain!, "entropy", "stop", []).steps[0]!.score).toBe(0.25);
    expect(policyChain(chain!, "entropy", "give-up", []).steps[0]!.score).toBe(-0.25);
  });

  it("does no harm where the chain itself ends wrong", () => {
    const wrong = { ...chain!, run: run("q", { is_correct: false }) };
    expect(policyChain(wrong, "budget", "stop", []).steps.map(({ harm }) => harm)).toEqual([0, 0, 0, 0]);
    expect(policyChain(wrong, "budget", "give-up", []).steps.map(({ harm }) => harm)).toEqual([0, 0, 0, 0]);
  });
});

describe("achieveExit", () => {
  const seen = policyChain(chain!, "settled-probe", "stop", [0.9, 0.2, 0.4, 0.1]);

  it("acts at the first step at or below the threshold", () => {
    expect(achieveExit([seen], 0.2)).toEqual({ risk: 0, tokens_saved: 1 - 11 / 20, share_acted: 1 });
    expect(achieveExit([seen], 0.9)).toEqual({ risk: 1, tokens_saved: 1 - 7 / 20, share_acted: 1 });
    expect(achieveExit([seen], 0.05)).toEqual({ risk: 0, tokens_saved: 0, share_acted: 0 });
  });

  it("saves less than nothing where trying costs more, and nothing without a threshold", () => {
    const trying = policyChain(chain!, "agreement", "stop", []);
    expect(achieveExit([trying], -9).tokens_saved).toBeCloseTo(1 - 32 / 20, 12);
    expect(achieveExit([trying], null)).toEqual({ risk: 0, tokens_saved: 0, share_acted: 0 });
  });

  it("keeps chains of a question together when questions are divided", () => {
    const target = { target: 0.2, promise: "expected", confidence: 0.95 } as const;
    const chains = Array.from({ length: 40 }, (_, q) => ({ ...seen, questionGroup: `q${q % 20}` }));
    const found = resplitExits(chains, target, { resplits: 20, seed: 1 });
    // of 10 questions the threshold 0.1 does no harm: 1/11; so do 0.2 and 0.4, since the chain stops at 0.2 already
    expect(found).toMatchObject({ share_held: 1, share_without_threshold: 0, resplits: 20 });
    expect(found.tokens_saved.mean).toBeCloseTo(1 - 11 / 20, 12);
  });
});

it("tells where answers were settled", () => {
  const late = gatherChains([run("p")], [forced("p", 0, "7"), forced("p", 1, "5")], new Map());
  const early = gatherChains([run("r")], [forced("r", 0, "7"), forced("r", 1, "7")], new Map());
  const found = findSettlement([chain!, ...late, ...early]);
  // the first from 16 of 20 tokens on, the second behind its last step, the third from 4 of 20
  expect(found).toMatchObject({ chains: 3, settled_within: 2 });
  expect(found.mean_share).toBeCloseTo((0.8 + 1 + 0.2) / 3, 12);
  // 19, 20 and 7 of 20 tokens each
  expect(found.most_saved).toBeCloseTo(1 - 46 / 60, 12);
  expect(found.settled_by.slice(0, 3)).toEqual([0, 1 / 3, 1 / 3]);
  expect(found.settled_by[9]).toBe(1);
});

it("cuts chains at budgets, and knows nothing of a censored one beyond its end", () => {
  const cut = gatherChains(
    [run("c", { tokens: Array.from({ length: 10 }, () => 1), is_correct: false })],
    [forced("c", 0, "7", { is_final: null })],
    new Map(),
  );
  expect(cut[0]!.isCensored).toBe(true);
  const points = cutAtBudgets([chain!, ...cut], 4); // 5, 10, 15, 20 tokens
  expect(points.map(({ answered, censored }) => [answered, censored])).toEqual([
    [2, 0],
    [1, 1],
    [1, 1],
    [1, 1],
  ]);
  expect(points.map(({ share_right }) => share_right)).toEqual([0.5, 1, 0, 1]);
  expect(points[0]!.mean_tokens).toBe((5 + 3 + 5 + 3) / 2);
});
