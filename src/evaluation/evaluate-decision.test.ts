import { describe, expect, it } from "vitest";
import { fitConstantProbe } from "./controls.ts";
import { type DecisionRows, evaluateDecision } from "./evaluate-decision.ts";

const QUICK = { resamples: 60 };

/** Questions with so many right answers at score 0.2 and wrong ones at 0.8 each. */
function makeRows(questions: readonly (readonly [right: number, wrong: number])[]): DecisionRows {
  const rows = questions.flatMap(([right, wrong], q) => [
    ...Array.from({ length: right }, () => ({ id: `q${q}`, score: 0.2, wrong: 0 })),
    ...Array.from({ length: wrong }, () => ({ id: `q${q}`, score: 0.8, wrong: 1 })),
  ]);
  return {
    scores: Float64Array.from(rows, ({ score }) => score),
    incorrect: Uint8Array.from(rows, ({ wrong }) => wrong),
    questionIds: rows.map(({ id }) => id),
  };
}

describe("evaluateDecision", () => {
  const calibration = makeRows(Array.from({ length: 20 }, () => [1, 1]));

  it("counts every question the same, and what is wrong among answers given by answers", () => {
    // A threshold of 0.8 answers everything: half of it wrong, (10 + 1) / 21.
    const held = {
      test: makeRows([
        [1, 3],
        [4, 0],
        [1, 1],
      ]),
    };
    const found = evaluateDecision("probe", { kind: "risk", target: 0.6 }, calibration, held, QUICK);
    expect(found).toMatchObject({ score: "probe", threshold: { threshold: 0.8 }, reason: null });
    const { coverage, risk, error_when_answering: error, question_count } = found.achieved.test!;
    expect(question_count).toBe(3);
    expect(coverage.estimate).toBeCloseTo(1, 12); // sums of quarters and halves over questions
    expect(risk.estimate).toBeCloseTo((3 / 4 + 0 + 1 / 2) / 3, 12);
    expect(error).toBe(4 / 10);
  });

  it("answers less for a smaller risk, and reports none among no answers", () => {
    const held = {
      test: makeRows([
        [0, 2],
        [0, 1],
      ]),
    };
    const found = evaluateDecision("probe", { kind: "risk", target: 0.3 }, calibration, held, QUICK);
    expect(found.threshold!.threshold).toBe(0.2);
    expect(found.achieved.test).toMatchObject({
      coverage: { estimate: 0 },
      risk: { estimate: 0 },
      error_when_answering: null,
    });
  });

  it("tries nothing without a threshold, nor on a split without rows", () => {
    const target = { kind: "risk", target: 0.01 } as const;
    const none = evaluateDecision("probe", target, calibration, { test: calibration }, QUICK);
    expect(none).toMatchObject({
      threshold: null,
      achieved: {},
      reason: expect.stringMatching(/at least 99/),
    });
    const empty = evaluateDecision(
      "probe",
      { kind: "risk", target: 0.5 },
      calibration,
      { test: makeRows([]) },
      QUICK,
    );
    expect(empty.achieved).toEqual({});
  });
});

describe("fitConstantProbe", () => {
  it("learns the share of wrong answers and orders nothing", async () => {
    const labels = Uint8Array.of(1, 0, 0, 0, 1, 0, 0, 0);
    const probe = (await fitConstantProbe(labels, { C: 1, classWeight: "none" }))!;
    const held = Uint8Array.of(1, 1, 0, 0);
    const control = probe.evaluate(held)!;
    expect(control).toMatchObject({ auc: 0.5, auprc: 0.5 });
    expect(control.probability).toBeCloseTo(0.25, 9); // the optimum to the fit's tolerance
    expect(control.ece).toBeCloseTo(0.25, 9);
    expect(control.brier).toBeCloseTo((0.75 ** 2 + 0.25 ** 2) / 2, 9);
    expect(probe.evaluate(Uint8Array.of(1, 1))).toBeNull();
    expect(await fitConstantProbe(Uint8Array.of(0, 0), { C: 1, classWeight: "none" })).toBeNull();
  });
});
