import { auditStudy } from "../../src/evaluation/audit.ts";
import {
  evaluateSplit,
  type SplitEvaluation,
  type SplitScores,
} from "../../src/evaluation/evaluate-split.ts";
import type { ProbeEval } from "../../src/evaluation/probe-eval.ts";
import { wordsOfRows } from "../../src/evaluation/row-words.ts";
import { createRng } from "../../src/math/rng.ts";
import type { ReportContent, ReportQuestion } from "../../src/report/report-content.ts";
import { DURING, fillScores } from "./fill-scores.ts";
import { makeTransfer } from "./make-transfer.ts";

/** Sixty answers to thirty questions, a third of them wrong, which every score finds more or less. */
export function makeReportScores(seed: number): SplitScores {
  const rng = createRng("report-test", seed);
  const incorrect = Uint8Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 1 : 0));
  const noisy = (strength: number): Float64Array =>
    Float64Array.from(incorrect, (label) => (strength * label + rng.next()) / (1 + strength));
  return {
    questionIds: Array.from({ length: 60 }, (_, i) => `q${Math.floor(i / 2)}`),
    questionGroups: Array.from({ length: 60 }, (_, i) => `q${Math.floor(i / 2)}`),
    incorrect,
    highSemanticEntropy: incorrect,
    byName: fillScores(
      {
        accuracy_probe: noisy(0.9),
        se_probe: noisy(0.6),
        entropy_baseline: noisy(0.2),
        semantic_entropy: noisy(0.5),
        discrete_semantic_entropy: noisy(0.5),
        answer_length: noisy(0.1),
        answer_nll: noisy(0.5),
      },
      60,
    ),
  };
}

/**
 * What a report shows of a small study.
 * @param text is put wherever a text from outside can stand
 */
export function makeReportContent(text: string): ReportContent {
  const test = makeReportScores(1);
  const options = { tau: 0.5, control: null, moments: DURING, resamples: 50, permutations: 19 };
  const summary = {
    position: "think-end",
    layer: 1,
    C: 0.1,
    training_rows: 9,
    training_questions: 3,
    cv_auc: 0.8,
  };
  const splits = {
    math_val: evaluateSplit(test, options),
    math_test: withBlindSpot(evaluateSplit(test, options), text),
    ood_test: evaluateSplit(makeReportScores(2), options),
  };
  const { math_val: validation, math_test, ood_test: ood } = splits;
  const evaluation: ProbeEval = {
    ...splits,
    audit: auditStudy({
      moments: DURING,
      validation,
      test: math_test,
      ood,
      decisions: [],
      sharedQuestions: [`shared${text}`],
      words: wordsOfRows(undefined),
    }),
    se_threshold: { method: "best-split", threshold: 0.5 },
    probes: { accuracy_probe: summary, se_probe: summary, entropy_baseline: null },
    source: {},
    settings: { seed: 1, resamples: 50, permutations: 19 },
    warnings: [{ code: "x", message: `Warning ${text}` }],
  };
  return {
    subject: {
      model: `model${text}`,
      isEmbedded: true,
      observer: null,
      questionCounts: [{ name: `data${text}`, count: 30 }],
      samples: "2 samples per question",
      date: "2026-11-29",
    },
    evaluation,
    testScores: test,
    layerScores: [0, 1, 2].map((layer) => ({
      position: "think-end" as const,
      layer,
      row_count: 9,
      constant_features: 0,
      auroc: { incorrect: 0.5 + layer / 10, "high-semantic-entropy": 0.6 },
    })),
    entropies: [0, 0, 0.3, 0.7, 1.2],
    questions: { math_test: [makeQuestion(text)] },
    transfer: makeTransfer(),
    seeds: null,
    settings: [[`Name${text}`, `Value${text}`]],
  };
}

const withBlindSpot = (evaluation: SplitEvaluation, text: string): SplitEvaluation => ({
  ...evaluation,
  consistently_wrong: {
    ...evaluation.consistently_wrong,
    question_count: 1,
    questions: [
      {
        question_id: `id${text}`,
        discrete_semantic_entropy: 0,
        answer: `41${text}`,
        cluster_share: 1,
        row_count: 2,
        incorrect_count: 2,
        accuracy_probe: null,
      },
    ],
  },
});

const makeQuestion = (text: string): ReportQuestion => ({
  id: `id${text}`,
  question: `Question ${text}`,
  reference: `42${text}`,
  semanticEntropy: 1.2,
  accuracyProbe: 0.8,
  seProbe: null,
  clusters: [{ answer: `41${text}`, sampleCount: 2, correctCount: 0, example: `Thought ${text}` }],
});
