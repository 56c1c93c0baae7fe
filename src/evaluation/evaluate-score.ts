import { rankedAuroc, rankScores } from "../math/auroc.ts";
import { rankedAveragePrecision } from "../math/roc-curve.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import { bootstrapInterval, type Interval } from "./bootstrap-interval.ts";
import { type PermutationResult, permutationTest } from "./permutation-test.ts";
import { accuracyAtCoverage, predictionRejectionRatio } from "./rejection.ts";

/** One uncertainty score against one label, by every measure that only needs their order. */
export interface ScoreEvaluation {
  /** Rows that have the score. */
  readonly row_count: number;
  readonly question_count: number;
  readonly positive_count: number;
  /** null where there is one class, or no row. */
  readonly auc: number | null;
  readonly auc_intervals: readonly Interval[];
  readonly auprc: number | null;
  readonly auprc_intervals: readonly Interval[];
  readonly permutation: PermutationResult | null;
}

/** How many resamples and permutations, and from which seed. */
export interface InferenceOptions {
  readonly resamples?: number;
  readonly permutations?: number;
  readonly seed?: number;
}

/** Below this, intervals and p-values rest on too few independent questions to be taken at face value. */
export const FEW_QUESTIONS = 20;

/**
 * Evaluates a score against labels.
 * @param name        what to call the score in warnings
 * @param scores      [n] higher = more uncertain; rows where it is NaN are left out
 * @param labels      [n] 1 = the uncertain case
 * @param questionIds [n]
 */
export function evaluateScore(
  name: string,
  scores: Float64Array,
  labels: Uint8Array,
  questionIds: readonly string[],
  { resamples, permutations, seed }: InferenceOptions = {},
): { readonly evaluation: ScoreEvaluation; readonly warnings: readonly ManifestWarning[] } {
  const rows = Array.from(scores.keys()).filter((row) => !Number.isNaN(scores[row]));
  const ownScores = rows.map((row) => scores[row]!);
  const ownLabels = rows.map((row) => labels[row]!);
  const ownQuestions = rows.map((row) => questionIds[row]!);
  const positives = ownLabels.filter((label) => label === 1).length;
  const counts = {
    row_count: rows.length,
    question_count: new Set(ownQuestions).size,
    positive_count: positives,
  };
  if (positives === 0 || positives === rows.length) {
    const evaluation = {
      ...counts,
      auc: null,
      auc_intervals: [],
      auprc: null,
      auprc_intervals: [],
      permutation: null,
    };
    return { evaluation, warnings: [describeOneClass(name, rows.length, positives)] };
  }
  const ranked = rankScores(ownScores);
  const drawing = {
    ...(resamples === undefined ? {} : { resamples }),
    ...(seed === undefined ? {} : { seed }),
  };
  const auc = bootstrapInterval(ownQuestions, (weights) => rankedAuroc(ranked, ownLabels, weights), drawing);
  const auprc = bootstrapInterval(
    ownQuestions,
    (weights) => rankedAveragePrecision(ranked, ownLabels, weights),
    drawing,
  );
  const permutation = permutationTest(ownScores, ownLabels, ownQuestions, {
    ...(permutations === undefined ? {} : { permutations }),
    ...(seed === undefined ? {} : { seed }),
  });
  const warnings: ManifestWarning[] = [];
  if (ranked.groupStarts.length === 2) {
    warnings.push({
      code: "tied-scores",
      message: `${name}: all ${rows.length} scores are the same, so its AUROC is 0.5 whatever the labels.`,
    });
  }
  if (auc.intervals.length === 0) {
    warnings.push({
      code: "no-interval",
      message: `${name}: ${auc.failed_resamples} of ${auc.resamples} resamples had one class only; no interval is given.`,
    });
  }
  if (permutation.p_value === null) {
    warnings.push({
      code: "no-p-value",
      message: `${name}: no two questions have equally many rows, so no labels can be exchanged and there is no p-value.`,
    });
  }
  const evaluation = {
    ...counts,
    auc: auc.estimate,
    auc_intervals: auc.intervals,
    auprc: auprc.estimate,
    auprc_intervals: auprc.intervals,
    permutation,
  };
  return { evaluation, warnings };
}

/** What abstaining by a score brings. */
export interface RejectionEvaluation {
  /** Prediction-rejection ratio: 1 oracle, 0 random; null if all answers are right or all wrong. */
  readonly prr: number | null;
  /** Accuracy among the least uncertain 80, 90 and 95% of the rows. */
  readonly accuracy_at_80: number;
  readonly accuracy_at_90: number;
  readonly accuracy_at_95: number;
}

/** @returns null if no row has the score */
export function evaluateRejection(scores: Float64Array, incorrect: Uint8Array): RejectionEvaluation | null {
  const rows = Array.from(scores.keys()).filter((row) => !Number.isNaN(scores[row]));
  if (rows.length === 0) return null;
  const ownScores = rows.map((row) => scores[row]!);
  const ownLabels = rows.map((row) => incorrect[row]!);
  const ratio = predictionRejectionRatio(ownScores, ownLabels);
  return {
    prr: Number.isNaN(ratio) ? null : ratio,
    accuracy_at_80: accuracyAtCoverage(ownScores, ownLabels, 0.8),
    accuracy_at_90: accuracyAtCoverage(ownScores, ownLabels, 0.9),
    accuracy_at_95: accuracyAtCoverage(ownScores, ownLabels, 0.95),
  };
}

function describeOneClass(name: string, rows: number, positives: number): ManifestWarning {
  const why =
    rows === 0 ? "no row has a score" : `all ${rows} labels are ${positives === 0 ? 0 : 1} (one class)`;
  return { code: rows === 0 ? "no-scores" : "one-class", message: `${name}: ${why}; its AUROC is null.` };
}
