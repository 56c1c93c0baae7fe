import { expect, it } from "vitest";
import { DURING, fillScores } from "../../test/fakes/fill-scores.ts";
import { auditStudy } from "../evaluation/audit.ts";
import { evaluateSplit, type SplitScores } from "../evaluation/evaluate-split.ts";
import type { ProbeEval } from "../evaluation/probe-eval.ts";
import { wordsOfRows } from "../evaluation/row-words.ts";
import { describeEvaluation } from "./describe-evaluation.ts";

/** Twelve answers to six questions; every score finds the wrong ones. */
function scoresOf(wrong: readonly number[]): SplitScores {
  const scores = Float64Array.from(wrong, (label, row) => 0.8 * label + row / 100);
  return {
    questionIds: wrong.map((_, row) => `q${row >> 1}`),
    questionGroups: wrong.map((_, row) => `q${row >> 1}`),
    incorrect: Uint8Array.from(wrong),
    highSemanticEntropy: Uint8Array.from(wrong),
    byName: fillScores(
      {
        accuracy_probe: scores,
        se_probe: scores,
        entropy_baseline: scores.map(() => 0.5),
        semantic_entropy: scores,
        discrete_semantic_entropy: scores,
      },
      wrong.length,
    ),
  };
}

const split = (wrong: readonly number[]) =>
  evaluateSplit(scoresOf(wrong), {
    tau: null,
    control: null,
    moments: DURING,
    resamples: 50,
    permutations: 50,
  });

const point = (estimate: number) => ({ estimate, intervals: [], resamples: 0, failed_resamples: 0 });

const TEST = split([0, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1, 1]);

const EVALUATION: ProbeEval = {
  audit: auditStudy({
    moments: DURING,
    validation: TEST,
    test: TEST,
    ood: null,
    decisions: [],
    sharedQuestions: [],
    words: wordsOfRows(undefined),
  }),
  familiarity: {
    accuracy_probe: {
      level: 0.05,
      validation_questions: 45,
      splits: {
        math_test: { question_count: 45, unfamiliar_count: 3, unfamiliar_share: 3 / 45 },
        ood_test: { question_count: 150, unfamiliar_count: 38, unfamiliar_share: 38 / 150 },
      },
    },
    se_probe: null,
  },
  decisions: [
    {
      score: "accuracy_probe",
      kind: "risk",
      target: 0.1,
      threshold: {
        kind: "risk",
        target: 0.1,
        threshold: 0.25,
        guarantee: "A promise of twenty words.",
        calibration_questions: 30,
      },
      reason: null,
      achieved: {
        math_test: {
          question_count: 6,
          coverage: point(0.5),
          risk: point(0.1),
          error_when_answering: 0.2,
        },
      },
    },
    {
      score: "se_probe",
      kind: "risk",
      target: 0.1,
      threshold: null,
      reason: "5 calibration questions are too few to guarantee a risk of 0.1.",
      achieved: {},
    },
  ],
  math_val: split([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
  math_test: {
    ...TEST,
    consistently_wrong: {
      ...TEST.consistently_wrong,
      low_entropy_questions: 2,
      question_count: 1,
      single_cluster_count: 0,
      questions: [
        {
          question_id: "q9",
          discrete_semantic_entropy: 0.1,
          answer: "42",
          cluster_share: 2 / 3,
          row_count: 2,
          incorrect_count: 2,
          accuracy_probe: 0.9,
        },
      ],
    },
  },
  se_threshold: { method: "best-split", threshold: 0.51234 },
  probes: {
    accuracy_probe: {
      position: "think-end",
      layer: 3,
      C: 0.01,
      training_rows: 70,
      training_questions: 7,
      cv_auc: 0.8,
    },
    se_probe: null,
    entropy_baseline: null,
  },
  source: {},
  settings: { seed: 42, resamples: 50, permutations: 50 },
  warnings: [{ code: "few-questions", message: "math_val: 6 questions" }],
};

it("shows each split's AUROC with interval, p-value and counts, and the warnings", () => {
  const lines = describeEvaluation(EVALUATION, (_style, text) => text).split("\n");
  expect(lines.join(" ").replace(/ +/g, " ")).toContain(
    "math_test test: 12 answers to 6 questions, 50% wrong, 50% of high semantic entropy",
  );
  const row = (name: string, from: string) =>
    lines
      .slice(lines.findIndex((line) => line.startsWith(from)))
      .find((line) => line.startsWith(`  ${name}`));
  expect(row("accuracy probe", "math_test")).toMatch(/ 1\.000 {2}1\.00 to 1\.00 {2}≤ 0\.020 +6\/12$/);
  expect(lines).toContain("≤ marks the smallest p-value that 50 permutations can give.");
  expect(row("entropy baseline", "math_test")).toMatch(/ 0\.500 {2}0\.50 to 0\.50 +1\.000 +6\/12$/);
  const validation = lines.findIndex((line) => line.startsWith("math_val"));
  expect(lines[validation + 2]).toBe("  No score has an AUROC: there are no right answers.");
  expect(lines.join(" ")).toContain(
    "Semantic entropy above 0.512 nats (best-split) counts as high. Hidden states read: the accuracy probe layer 3 at think-end.",
  );
  expect(lines.join(" ")).toContain(
    "AUROC 1.00: of 100 pairs of a wrong and a right answer on test questions, the accuracy probe gives the first the higher score in more than 99; tossing a coin would in 50.",
  );
  expect(lines).toContain("  math_val: 6 questions [few-questions]");
  expect(lines.some((line) => line.startsWith("ood_test"))).toBe(false);
});

it.each([
  [60, /^ {2}\w.* \d\.\d\d to \d\.\d\d$/],
  [80, /^ {2}\w.* \d+\/\d+$/],
  [110, /^ {2}\w.* \d+\/\d+$/],
])("keeps within %i columns, and leaves out what has no room", (columns, row) => {
  const long = { code: "few-questions", message: `math_val: ${"6 questions ".repeat(20)}` };
  const decisions = EVALUATION.decisions?.map((decision) => ({
    ...decision,
    reason: decision.reason && long.message,
  }));
  const study = {
    ...EVALUATION,
    decisions,
    warnings: [long],
    audit: { ...EVALUATION.audit, verdict: [long.message] },
  };
  const lines = describeEvaluation(study as ProbeEval, (_style, text) => text, { columns }).split("\n");
  expect(lines.filter((line) => row.test(line))).toHaveLength(6);
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(columns);
});

it("puts the figures of a threshold below the score's name where there is no room beside it", () => {
  const lines = describeEvaluation(EVALUATION, (_style, text) => text, { columns: 60 }).split("\n");
  const from = lines.indexOf("When to answer");
  expect(lines.slice(from + 2, from + 6)).toEqual([
    "  score ≤ split   given  and wrong     error",
    "    accuracy probe",
    "     0.25  test     50%        10%       20%",
    "    SE probe",
  ]);
});

it("shows below a split how the probes compare and what semantic entropy cannot see", () => {
  const lines = describeEvaluation(EVALUATION, (_style, text) => text).split("\n");
  const text = lines.join(" ").replace(/ +/g, " ");
  expect(text).toContain(
    "SE probe minus accuracy probe: +0.000, +0.000 to +0.000; p = 1.000, after Holm for 4 pairs p = 1.000",
  );
  expect(text).toContain(
    "Consistently wrong: 1 of 2 questions of low semantic entropy, 0 with a single meaning.",
  );
  expect(lines).toContain('    q9: mostly "42" (67%), 2 of 2 wrong, accuracy probe 0.90');
  // Six rows of one class have neither.
  expect(lines.filter((line) => line.includes("minus accuracy probe"))).toHaveLength(1);
});

it("shows what each threshold promised and what came of it", () => {
  const lines = describeEvaluation(EVALUATION, (_style, text) => text).split("\n");
  const from = lines.indexOf("When to answer");
  expect(lines[from + 1]).toBe("  At most 10% of all answers given and wrong");
  expect(lines[from + 3]).toMatch(/^ {4}accuracy probe +0\.25 +test +50% +10% +20%$/);
  expect(lines[from + 4]).toMatch(/^ {4}SE probe +none: 5 calibration questions are/);
  expect(lines.join(" ").replace(/\s+/g, " ")).toContain(
    "By the accuracy probe, of 100 test answers about 50 are given, and about 10 of the 100 are given and wrong.",
  );
  expect(lines.join(" ").replace(/\s+/g, " ")).toContain("A promise of twenty words.");
  for (const line of lines.slice(from, from + 6)) expect(line.length).toBeLessThanOrEqual(80);
});

it("says which share of the questions a probe finds unfamiliar", () => {
  const text = describeEvaluation(EVALUATION, (_style, value) => value);
  expect(text).toContain(
    [
      "Unfamiliar questions",
      "  States unlike those of the training questions (p ≤ 0.05)",
      `${"    accuracy probe".padEnd(24)}7% of 45 test, 25% of 150 out of distribution`,
    ].join("\n"),
  );
  const { familiarity: _none, ...earlier } = EVALUATION;
  expect(describeEvaluation(earlier, (_style, value) => value)).not.toContain("Unfamiliar");
});

it("ends with the checks and the verdict, and does not repeat what a check says as a warning", () => {
  const warning = { code: "check-promises", message: "Promises kept? No." };
  const text = describeEvaluation({ ...EVALUATION, warnings: [warning] }, (_style, value) => value);
  expect(text).not.toContain("Warnings");
  const end = text.slice(text.indexOf("Checks"));
  const { checks, verdict } = EVALUATION.audit;
  expect(checks).toHaveLength(7);
  const said = end.replace(/\s+/g, " ");
  for (const { question, finding } of checks) expect(said).toContain(`${question} ${finding}`);
  expect(end.slice(end.indexOf("Verdict")).replace(/\s+/g, " ")).toBe(`Verdict ${verdict.join(" ")}`);
});
