import { rankedAuroc, rankScores, requireLabels } from "../math/auroc.ts";
import { createRng } from "../math/rng.ts";
import { rankedAveragePrecision } from "../math/roc-curve.ts";
import { createLabelPermuter, type LabelPermuter } from "../probes/sweep/test-permutations.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import { bootstrapInterval, type ConfidenceInterval } from "./bootstrap-interval.ts";

/** One uncertainty score against one label, by every rank-based measure. */
export interface ScoreEvaluation {
  /** Rows that have the score. */
  readonly row_count: number;
  readonly question_count: number;
  readonly positive_count: number;
  /** null where there is one class, or no row. */
  readonly auc: number | null;
  readonly auc_intervals: readonly ConfidenceInterval[];
  readonly auprc: number | null;
  readonly auprc_intervals: readonly ConfidenceInterval[];
  readonly permutation: PermutationResult | null;
}

/** How many resamples and permutations, and from which seed. */
export interface InferenceOptions {
  readonly resamples?: number;
  readonly permutations?: number;
  readonly seed?: number;
}

/** With fewer independent questions, intervals and p-values are too rough to take at face value. */
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
      message: `${name}: all ${rows.length} scores are the same, so its AUROC is 0.5 whatever the labels are.`,
    });
  }
  if (auc.intervals.length === 0) {
    warnings.push({
      code: "no-interval",
      message: `${name}: ${auc.failed_resamples} of ${auc.resamples} resamples had only one class, so no interval is given.`,
    });
  }
  if (permutation.p_value === null) {
    warnings.push({
      code: "no-p-value",
      message: `${name}: no two questions have the same number of rows, so labels cannot be permuted and there is no p-value.`,
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

function describeOneClass(name: string, rows: number, positives: number): ManifestWarning {
  const why =
    rows === 0 ? "no row has a score" : `all ${rows} labels are ${positives === 0 ? 0 : 1} (one class)`;
  return { code: rows === 0 ? "no-scores" : "one-class", message: `${name}: ${why}; its AUROC is null.` };
}

/** What a permutation test found. */
export interface PermutationResult {
  /** One-sided, for AUROC above chance; null where fewer than two questions can be exchanged. */
  readonly p_value: number | null;
  readonly permutations: number;
  readonly scheme: LabelPermuter["scheme"];
  readonly exchangeable_questions: number;
  readonly fixed_questions: number;
}

export const DEFAULT_PERMUTATIONS = 1000;

/**
 * Is the AUROC higher than labels unrelated to the scores would give? Labels are permuted by question, see
 * `createLabelPermuter`; p = (1 + #{permuted >= observed}) / (1 + permutations).
 * @param scores [n] no NaN
 * @param labels [n] 0 or 1, both present
 * @throws RangeError if lengths differ or a score is NaN
 * @see Phipson and Smyth 2010, "Permutation p-values should never be zero"
 */
export function permutationTest(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  questionIds: readonly string[],
  {
    permutations = DEFAULT_PERMUTATIONS,
    seed = 42,
  }: { readonly permutations?: number; readonly seed?: number } = {},
): PermutationResult {
  requireLabels(scores, labels);
  const ranked = rankScores(scores);
  const observed = rankedAuroc(ranked, labels);
  const permuter = createLabelPermuter(labels, questionIds);
  const outcome = {
    permutations,
    scheme: permuter.scheme,
    exchangeable_questions: permuter.exchangeableQuestions,
    fixed_questions: permuter.fixedQuestions,
  };
  if (permuter.exchangeableQuestions < 2) return { p_value: null, ...outcome };
  const rng = createRng("permutation-test", seed);
  let atLeast = 0;
  for (let i = 0; i < permutations; i++) {
    // The same labels in another order of summation may differ in the last bits; they must count as equal.
    // Where every row gets one class (unequal blocks of single labels), the AUROC is NaN, which counts as at least the observed one.
    if (!(rankedAuroc(ranked, permuter.draw(rng)) < observed - 1e-12)) atLeast++;
  }
  return { p_value: (1 + atLeast) / (1 + permutations), ...outcome };
}
