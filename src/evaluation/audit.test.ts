import { describe, expect, it } from "vitest";
import { fillScores } from "../../test/fakes/fill-scores.ts";
import { normalQuantile } from "../math/distributions.ts";
import { logistic } from "../math/logistic.ts";
import { createRng } from "../math/rng.ts";
import { type Audit, auditStudy } from "./audit.ts";
import type { AuditedStudy } from "./checks.ts";
import { evaluateDecision } from "./evaluate-decision.ts";
import { evaluateSplit, type SplitEvaluation, type SplitScores } from "./evaluate-split.ts";
import { wordsOfRows } from "./row-words.ts";
import type { Moment, ScoreName } from "./score-names.ts";

interface Simulated {
  readonly questions?: number;
  readonly seed?: string;
  /**
   * Distance between the means of wrong and right answers, in standard deviations: 2 is an AUROC of 0.92, 1 of 0.76. Every
   * score has noise of its own, so each knows something that the others do not.
   */
  readonly knows?: Readonly<Partial<Record<ScoreName, number>>>;
  /** Of answers that are wrong. */
  readonly share?: number;
  /** Added to the log odds of the probes. */
  readonly bias?: number;
  readonly moment?: Moment;
  readonly control?: number;
}

/** One answer per question. Without a bias, the probes' probabilities are exactly those of wrong answers. */
function simulate({
  questions = 200,
  seed = "test",
  knows = {},
  share = 0.5,
  bias = 0,
}: Simulated): SplitScores {
  const rows = Array.from({ length: questions }, (_, row) => row);
  const incorrect = Uint8Array.from(rows, (row) => ((row * 7919) % questions < share * questions ? 1 : 0));
  const byName = Object.entries(knows).map(([name, distance]) => {
    const rng = createRng(seed, name);
    const values = Float64Array.from(rows, (row) => {
      const seen = distance * (incorrect[row]! - 0.5) + normalQuantile(rng.next());
      return name.endsWith("_probe")
        ? logistic(distance * seen + Math.log(share / (1 - share)) + bias)
        : seen;
    });
    return [name, values] as const;
  });
  const questionIds = rows.map((row) => `q${row}`);
  return {
    questionIds,
    questionGroups: questionIds,
    incorrect,
    highSemanticEntropy: incorrect,
    byName: fillScores(Object.fromEntries(byName), questions),
  };
}

const AS_IT_IS = { platt: { method: "platt", slope: 1, offset: 0 }, isotonic: null } as const;

const evaluated = new Map<string, SplitEvaluation>();

/** The same again costs nothing. */
function evaluate(simulated: Simulated): SplitEvaluation {
  const key = JSON.stringify(simulated);
  const known = evaluated.get(key);
  if (known !== undefined) return known;
  const evaluation = evaluateSplit(simulate(simulated), {
    tau: null,
    control:
      simulated.control === undefined
        ? null
        : { repeats: 20, auc_mean: simulated.control, auc_min: 0, auc_max: 1 },
    moments: { accuracy_probe: simulated.moment ?? "after", se_probe: simulated.moment ?? "after" },
    maps: { accuracy_probe: AS_IT_IS, entropy_baseline: AS_IT_IS, se_probe_high_se: AS_IT_IS },
    resamples: 100,
    permutations: 399,
  });
  evaluated.set(key, evaluation);
  return evaluation;
}

/** A study that knows the same on validation and test questions. */
function audit(
  simulated: Simulated,
  { ood, ...more }: { readonly ood?: Simulated } & Partial<Omit<AuditedStudy, "ood">> = {},
): Audit {
  const moment = simulated.moment ?? "after";
  return auditStudy({
    moments: { accuracy_probe: moment, se_probe: moment },
    validation: evaluate({ ...simulated, seed: "validation" }),
    test: evaluate(simulated),
    ood: ood === undefined ? null : evaluate({ seed: "ood", ...ood }),
    decisions: [],
    sharedQuestions: [],
    words: wordsOfRows(undefined),
    ...more,
  });
}

const checkOf = ({ checks }: Audit, id: string): string => {
  const { status, finding } = checks.find((check) => check.id === id)!;
  return `${status}: ${finding}`;
};

describe("the verdict", () => {
  it("names the score to use instead, if one that is known by then is better", () => {
    const found = audit({
      knows: { accuracy_probe: 0.8, mean_nll: 2.5, answer_nll: 2.4, semantic_entropy: 3 },
    });
    expect(found.verdict[0]).toMatch(
      /^Use mean log-probability instead: AUROC 0\.9\d against 0\.\d\d, difference 0\.\d\d \(95% 0\.\d\d to 0\.\d\d\)\.$/,
    );
    expect(found).toMatchObject({ probe: "accuracy_probe", rival: "mean_nll" });
    expect(found.verdict.join(" ")).toContain(
      "Semantic entropy is better at the price of further samples or passes: AUROC",
    );
    expect(checkOf(found, "baselines")).toBe(
      "bad: No: mean log-probability and the log-likelihood of the answer are better, after Holm's correction.",
    );
  });

  it("takes a better score that comes later for what it is", () => {
    const found = audit({ knows: { accuracy_probe: 1.5, question_text: 0, mean_nll: 3 }, moment: "before" });
    expect(found.rival).toBe("question_text");
    expect(found.verdict[0]).toMatch(
      /^The accuracy probe beats every score without hidden states that is known before generation\. The strongest is the text of the question: AUROC/,
    );
    expect(found.verdict[1]).toMatch(/^Mean log-probability is better once the answer is written: AUROC/);
    expect(checkOf(found, "baselines")).toBe(
      "good: The accuracy probe is better than the text of the question.",
    );
  });

  it("says so where the probe wins", () => {
    const found = audit({ knows: { accuracy_probe: 2.5, mean_nll: 0.5, answer_nll: 0.7 } });
    expect(found.verdict[0]).toMatch(
      /^The accuracy probe beats every score without hidden states that is known once the answer is written\. The strongest is/,
    );
    expect(checkOf(found, "baselines")).toBe(
      "good: The accuracy probe is better than all 2 scores without hidden states that are known by then.",
    );
  });

  it("says of a close race that it is open, and that the probe adds something nevertheless", () => {
    const knows = { accuracy_probe: 1.5, mean_nll: 1.5, combined_after: 1.5, answer_length: 0 };
    const found = audit({ knows });
    expect(found.verdict[0]).toMatch(/^The accuracy probe is not shown to differ from .*: AUROC 0\.8/);
    expect(found.verdict[1]).toMatch(
      /^The accuracy probe adds to what is known without hidden states once the answer is written: together the AUROC is 0\.\d\d instead of 0\.\d\d, and the deviance \d+\.\d% lower \(p ≤ 0\.003\)\.$/,
    );
    expect(checkOf(found, "baselines")).toMatch(
      /^unsure: Better than 1 of 3 scores; not shown to differ from .* and .*\.$/,
    );
    expect(checkOf(found, "adds")).toMatch(/^good: With it, the deviance is/);
  });

  it("does not praise a probe that is no better than chance", () => {
    const found = audit({ knows: { accuracy_probe: 0.02, mean_nll: 0 }, seed: "no signal" });
    expect(found.verdict[0]).toMatch(
      /^The accuracy probe is not shown to be better than chance on 200 test questions: AUROC/,
    );
    expect(found.verdict.at(-1)).toMatch(
      /^The accuracy probe is not shown to add anything to what is known without hidden states once the answer is written \(p = /,
    );
    expect(checkOf(found, "adds")).toMatch(/^unsure: Not shown \(p = /);
  });

  it("is about the SE probe where that is better on the validation questions, or the only one", () => {
    expect(audit({ knows: { accuracy_probe: 0.3, se_probe: 2 } }).probe).toBe("se_probe");
    expect(audit({ knows: { accuracy_probe: 1, se_probe: 1.02 } }).probe).toBe("accuracy_probe");
    const alone = audit({ knows: { se_probe: 2 } });
    expect(alone.verdict[0]).toMatch(
      /^The SE probe finds wrong answers, .*; there is no score to compare it with\.$/,
    );
    expect(checkOf(alone, "baselines")).toBe("unknown: There is no score to compare the probe with.");
  });

  it("is not given where there is nothing to tell apart", () => {
    const right = audit({ knows: { accuracy_probe: 1 }, share: 0 });
    expect(right.verdict).toEqual([
      "No verdict: the test set has 200 right answers and no wrong answers, so there is nothing to tell apart.",
    ]);
    expect(checkOf(right, "questions")).toBe(
      "bad: The 200 test questions have no right answers or no wrong answers.",
    );
    expect(checkOf(right, "adds")).toMatch(/^unknown:/);
    expect(audit({ knows: {} }).verdict).toEqual([
      "No verdict: the SE probe has no score on any test question.",
    ]);
  });

  it.each([
    ["final-incorrect", "every-token", "tokens in wrong answers"],
    ["step-incorrect", "step-end", "wrong steps"],
    ["inconsistent", "sentence-end", "inconsistent sentences"],
    ["clusters", "spans", "uncertain spans"],
  ] as const)("calls rows what they are: %s at %s", (label, position, expected) => {
    const words = wordsOfRows({ label, position });
    const found = audit({ knows: { se_probe: 2 } }, { words });
    expect(found.verdict[0]).toContain(`The SE probe finds ${expected}, `);
    expect(checkOf(found, "shortcuts")).toContain(`find ${expected} by themselves`);
  });

  it("is a first look with few questions", () => {
    const found = audit({ knows: { accuracy_probe: 3 }, questions: 15 });
    expect(found.verdict.at(-1)).toBe("With 15 test questions this is a first look, not a result.");
    expect(checkOf(found, "questions")).toMatch(
      /^bad: No: with 15 test questions, only an AUROC of 0\.\d\d or more would be/,
    );
  });
});

describe("the checks", () => {
  const knows = { accuracy_probe: 1.5 };

  it("shortcuts: questions on both sides, leaking labels, and lengths that give answers away", () => {
    expect(checkOf(audit({ knows }), "shortcuts")).toMatch(/^good: Neither lengths nor texts/);
    expect(checkOf(audit({ knows }, { sharedQuestions: ["q1"] }), "shortcuts")).toMatch(
      /^bad: 1 held-out question is also among the training questions/,
    );
    expect(checkOf(audit({ knows, control: 0.55 }), "shortcuts")).toMatch(/^good:/);
    expect(checkOf(audit({ knows, control: 0.65 }), "shortcuts")).toMatch(
      /^bad: Probes trained on shuffled labels have AUROC 0\.65 on average/,
    );
    expect(checkOf(audit({ knows: { ...knows, answer_length: 1 } }), "shortcuts")).toMatch(
      /^unsure: Answer length \(AUROC 0\.\d\d\) finds wrong answers by itself\. A probe may rely on it;/,
    );
    expect(checkOf(audit({ knows: { ...knows, answer_length: 1, question_text: 1 } }), "shortcuts")).toMatch(
      /^unsure: The text of the question \(AUROC 0\.\d\d\) and answer length \(AUROC 0\.\d\d\) find wrong answers by themselves\. A probe may rely on them;/,
    );
  });

  it.each([
    [undefined, /^unknown: There is no second question set\.$/],
    [{ knows, share: 1 }, /^unknown: A split lacks right answers or wrong answers\.$/],
    [{ knows: { accuracy_probe: 0 } }, /^bad: No: AUROC 0\.\d\d .* is not shown to be better than chance\.$/],
    [{ knows: { accuracy_probe: 0.6 } }, /^unsure: Less well: AUROC 0\.\d\d .* a loss of 0\.\d\d \(95% 0/],
    [{ knows }, /^good: AUROC 0\.8\d \(95% .*\) against 0\.\d\d on test questions; no loss is shown\.$/],
  ])("out of distribution, %o", (ood, expected) => {
    expect(checkOf(audit({ knows }, ood === undefined ? {} : { ood }), "transfer")).toMatch(expected);
  });

  it("calibration: on test questions, and then elsewhere", () => {
    const wide = { knows, questions: 400 };
    expect(checkOf(audit(wide, { ood: wide }), "calibration")).toMatch(/^good: On test questions: ECE 0\.0/);
    expect(checkOf(audit(wide, { ood: { ...wide, bias: 3 } }), "calibration")).toMatch(
      /^unsure: In distribution only: ECE 0\.0.* out of distribution ECE 0\.[1-9]/,
    );
    expect(checkOf(audit({ ...wide, bias: 3 }), "calibration")).toMatch(
      /^bad: On test questions: ECE 0\.\d\d, bias \+/,
    );
  });

  it("promises: on the test questions, and out of distribution, where nothing is guaranteed", () => {
    const rowsOf = (simulated: Simulated) => {
      const { byName, ...rows } = simulate(simulated);
      return { ...rows, scores: byName.accuracy_probe };
    };
    /** What becomes of a threshold for at most 10% given and wrong. */
    const check = (test: Simulated, ood?: Simulated): string => {
      const decision = evaluateDecision<"math_val" | "math_test" | "ood_test">(
        "accuracy_probe",
        { kind: "risk", target: 0.1 },
        rowsOf({ knows, seed: "validation" }),
        { math_test: rowsOf(test), ...(ood === undefined ? {} : { ood_test: rowsOf(ood) }) },
      );
      return checkOf(audit({ knows }, { decisions: [decision] }), "promises");
    };
    expect(checkOf(audit({ knows }), "promises")).toBe(
      "unknown: No threshold was chosen, so nothing was promised.",
    );
    expect(check({ knows, share: 0.3 })).toBe(
      "good: 1 of 1 targets have a threshold, and none is shown to be missed.",
    );
    const over = { knows, bias: -4 };
    expect(check(over)).toMatch(
      /^bad: No: on test questions \d\d.* of the answers were given and wrong \(target: at most 10%\)\.$/,
    );
    expect(check({ knows, share: 0.3 }, over)).toMatch(
      /^bad: On test questions, yes\. Out of distribution, where nothing is guaranteed, \d\d/,
    );
  });

  it.each([
    [40, "unsure: With 40 test questions, an AUROC of 0."],
    [400, "good: With 400 test questions, an AUROC of 0."],
  ])("questions: whether %d are enough", (questions, expected) => {
    expect(checkOf(audit({ knows, questions }), "questions")).toContain(expected);
  });
});
