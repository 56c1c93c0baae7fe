import { describe, expect, it } from "vitest";
import { DURING, fillScores } from "../../test/fakes/fill-scores.ts";
import { evaluateSplit, type SplitScores } from "./evaluate-split.ts";

const QUICK = { tau: 0.5, control: null, moments: DURING, resamples: 200, permutations: 99 };

/** Thirty questions of two answers; both of a question are wrong for every third. */
function makeSplit({
  byName = {},
  ...changes
}: Partial<Omit<SplitScores, "byName">> & {
  readonly byName?: Partial<SplitScores["byName"]>;
} = {}): SplitScores {
  const rows = Array.from({ length: 60 }, (_, row) => row);
  const incorrect = Uint8Array.from(rows, (row) => (Math.floor(row / 2) % 3 === 0 ? 1 : 0));
  const ranked = Float64Array.from(rows, (row) => 0.3 + 0.3 * incorrect[row]! + row / 1000);
  const { questionIds = rows.map((row) => `q${Math.floor(row / 2)}`) } = changes;
  return {
    questionIds,
    questionGroups: questionIds,
    incorrect,
    highSemanticEntropy: Uint8Array.from(rows, (row) => (row < 30 ? 1 : 0)),
    ...changes,
    byName: fillScores(
      {
        accuracy_probe: ranked,
        se_probe: Float64Array.from(rows, (row) => 1 - row / 60),
        entropy_baseline: new Float64Array(60).fill(0.4),
        semantic_entropy: ranked,
        discrete_semantic_entropy: ranked,
        ...byName,
      },
      60,
    ),
  };
}

describe("evaluateSplit", () => {
  it("keeps the direction of each measure", () => {
    const result = evaluateSplit(makeSplit(), QUICK);
    expect(result.auc_accuracy_probe).toBe(1);
    expect(result.auprc_accuracy_probe).toBe(1);
    expect(result.rejection.accuracy_probe).toMatchObject({ prr: 1, accuracy_at_80: 40 / 48 });
    expect(result.auc_se_probe_high_se).toBe(1);
    expect(result.auc_se_probe).toBeLessThan(0.7);
    // P(correct) = 1 - P(incorrect): about 0.7 for right answers, 0.4 for wrong ones
    expect(result.mean_conf_acc_correct).toBeGreaterThan(0.65);
    expect(result.mean_conf_acc_incorrect).toBeLessThan(0.41);
    expect(result).toMatchObject({ tau_answer: 0.5, accuracy_at_tau: 1 });
    expect(result.coverage_at_tau).toBeCloseTo(2 / 3, 12); // division by 60
    expect(result.auc_difference_se_minus_accuracy!.estimate).toBeCloseTo(result.auc_se_probe! - 1, 12); // one subtraction
    expect(result.counts).toEqual({ rows: 60, questions: 30, incorrect: 20, high_semantic_entropy: 30 });
    expect(result.scores.accuracy_probe.permutation).toMatchObject({
      scheme: "question-labels",
      p_value: 0.01,
    });
  });

  it("warns of tied scores", () => {
    const result = evaluateSplit(makeSplit(), QUICK);
    expect(result.auc_entropy_baseline).toBe(0.5);
    expect(result.p_value_auc_entropy).toBe(1);
    // Thirty questions show an AUROC of 0.77 in four of five studies, and say so besides.
    expect(result.warnings.filter(({ code }) => code !== "low-power")).toEqual([
      {
        code: "tied-scores",
        message: expect.stringContaining("entropy baseline: all 60 scores are the same"),
      },
    ]);
  });

  it("is null, and says why, with one class, without scores and with few questions", () => {
    const nothing = new Float64Array(60).fill(Number.NaN);
    const result = evaluateSplit(
      makeSplit({
        incorrect: new Uint8Array(60),
        byName: { se_probe: nothing },
        questionIds: Array(60).fill("q"),
      }),
      QUICK,
    );
    expect(result.auc_accuracy_probe).toBeNull();
    expect(result.auc_se_probe_high_se).toBeNull();
    expect(result.mean_conf_acc_incorrect).toBeNull();
    expect(result.auc_difference_se_minus_accuracy).toBeNull();
    expect(result.rejection.se_probe).toBeNull();
    expect(result.rejection.accuracy_probe!.prr).toBeNull();
    expect(result.calibration.se_probe_high_se).toBeNull();
    const codes = result.warnings.map(({ code }) => code);
    expect(new Set(codes)).toEqual(new Set(["few-questions", "one-class", "no-scores"]));
  });

  it("leaves rows without a score out of that score only", () => {
    const entropy_baseline = makeSplit().byName.accuracy_probe.map((score, row) =>
      row < 10 ? Number.NaN : score,
    );
    const result = evaluateSplit(makeSplit({ byName: { entropy_baseline } }), QUICK);
    expect(result.scores.entropy_baseline).toMatchObject({ row_count: 50, question_count: 25, auc: 1 });
    expect(result.scores.accuracy_probe.row_count).toBe(60);
  });

  it("has no p-value where no two questions can exchange labels", () => {
    const split = makeSplit({ questionIds: Array.from({ length: 60 }, (_, row) => (row < 20 ? "a" : "b")) });
    const result = evaluateSplit(split, QUICK);
    expect(result.p_value_auc_accuracy).toBeNull();
    expect(result.warnings.map(({ code }) => code)).toContain("no-p-value");
  });
});
