import { rankedAuroc, rankScores } from "../math/auroc.ts";
import { type BootstrapOptions, type BootstrapResult, bootstrapInterval } from "./bootstrap-interval.ts";

/** What abstaining by a score achieves. */
export interface RejectionEvaluation {
  /** Prediction-rejection ratio: 1 oracle, 0 random; null if all answers are right or all wrong. */
  readonly prr: number | null;
  /** Accuracy among the least uncertain 80, 90 and 95% of the rows. */
  readonly accuracy_at_80: number;
  readonly accuracy_at_90: number;
  readonly accuracy_at_95: number;
  /** Area under the generalised risk-coverage curve, in [0, 0.5]: lower is better. */
  readonly augrc: number;
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
    augrc: augrc(ownScores, ownLabels),
  };
}

/**
 * Accuracy when only the least uncertain share is answered. Tied scores at the border count by their mean.
 * @param uncertainty [n] higher = more uncertain
 * @param incorrect   [n] 1 = wrong
 * @param coverage    share answered, in (0, 1]; rounded up to whole rows
 * @throws RangeError if n = 0, a score is NaN, or the coverage is outside (0, 1]
 */
export function accuracyAtCoverage(
  uncertainty: ArrayLike<number>,
  incorrect: ArrayLike<number>,
  coverage: number,
): number {
  if (!(coverage > 0 && coverage <= 1)) throw new RangeError(`Coverage ${coverage} is outside (0, 1].`);
  const answered = Math.ceil(coverage * incorrect.length - 1e-9); // 0.9 * 10 is not to become 10 by rounding
  return cumulativeCorrect(uncertainty, incorrect)[answered]! / answered;
}

/**
 * Prediction-rejection ratio: how much of the oracle's gain over random rejection a score achieves, from the mean
 * accuracy over every number of answers given. 1 is the oracle, 0 is random, below 0 is worse than random.
 * @param uncertainty [n] higher = more uncertain
 * @param incorrect   [n] 1 = wrong
 * @returns NaN if all answers are right or all are wrong
 * @throws RangeError if n = 0 or a score is NaN
 * @see Malinin and Gales 2021; the areas are those of IINemo/lm-polygraph
 */
export function predictionRejectionRatio(
  uncertainty: ArrayLike<number>,
  incorrect: ArrayLike<number>,
): number {
  const random = 1 - Array.from(incorrect).reduce((sum, wrong) => sum + wrong, 0) / incorrect.length;
  if (random === 0 || random === 1) return Number.NaN;
  const achieved = meanAccuracy(cumulativeCorrect(uncertainty, incorrect));
  const oracle = meanAccuracy(cumulativeCorrect(incorrect, incorrect));
  return (achieved - random) / (oracle - random);
}

/**
 * AUGRC: the area under the share of all answers that are given and wrong, over the share that is given. It is the mean chance
 * that an answer is given and wrong, over all thresholds; with error rate e it equals e²/2 + e (1 - e)(1 - AUROC).
 * @param uncertainty [n] higher = more uncertain
 * @param incorrect   [n] 1 = wrong
 * @returns in [0, 0.5]; e/2 for a random score
 * @throws RangeError if n = 0 or a score is NaN
 * @see Traub et al. 2024, "Overcoming common flaws in the evaluation of selective classification systems", equation 6
 */
export function augrc(uncertainty: ArrayLike<number>, incorrect: ArrayLike<number>): number {
  const right = cumulativeCorrect(uncertainty, incorrect);
  const count = incorrect.length;
  let area = 0;
  for (let given = 1; given <= count; given++)
    area += given - right[given]! + (given - 1 - right[given - 1]!);
  return area / 2 / count ** 2;
}

/**
 * AUGRC with an interval that resamples questions.
 * @param uncertainty [n] higher = more uncertain, no NaN
 * @param incorrect   [n] 1 = wrong; both present
 * @param questionIds [n]
 */
export function bootstrapAugrc(
  uncertainty: ArrayLike<number>,
  incorrect: ArrayLike<number>,
  questionIds: readonly string[],
  options: BootstrapOptions = {},
): BootstrapResult {
  const ranked = rankScores(uncertainty);
  return bootstrapInterval(
    questionIds,
    (weights) => {
      let [wrong, total] = [0, 0];
      for (let row = 0; row < weights.length; row++) {
        wrong += weights[row]! * incorrect[row]!;
        total += weights[row]!;
      }
      const error = wrong / total;
      return error ** 2 / 2 + error * (1 - error) * (1 - rankedAuroc(ranked, incorrect, weights));
    },
    options,
  );
}

/**
 * AURC: the area under the error rate of the answers given, over the share that is given.
 * @param uncertainty [n] higher = more uncertain
 * @param incorrect   [n] 1 = wrong
 * @returns in [0, 1]; the error rate for a random score; lower is better
 * @throws RangeError if n = 0 or a score is NaN
 * @see Geifman, Uziel and El-Yaniv 2019, "Bias-reduced uncertainty estimation for deep neural classifiers"
 */
export const aurc = (uncertainty: ArrayLike<number>, incorrect: ArrayLike<number>): number =>
  1 - meanAccuracy(cumulativeCorrect(uncertainty, incorrect));

/** [n + 1] expected number right among the k least uncertain, for k = 0..n. */
function cumulativeCorrect(uncertainty: ArrayLike<number>, incorrect: ArrayLike<number>): Float64Array {
  const { order, groupStarts } = rankScores(uncertainty);
  const cumulative = new Float64Array(order.length + 1);
  for (let g = 0; g + 1 < groupStarts.length; g++) {
    const start = groupStarts[g]!;
    const end = groupStarts[g + 1]!;
    let right = 0;
    for (let i = start; i < end; i++) right += 1 - incorrect[order[i]!]!;
    for (let i = start; i < end; i++) {
      cumulative[i + 1] = cumulative[start]! + (right * (i + 1 - start)) / (end - start);
    }
  }
  return cumulative;
}

function meanAccuracy(cumulative: Float64Array): number {
  let sum = 0;
  for (let answered = 1; answered < cumulative.length; answered++) sum += cumulative[answered]! / answered;
  return sum / (cumulative.length - 1);
}
