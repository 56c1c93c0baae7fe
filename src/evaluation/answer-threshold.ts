import { rocCurve } from "../math/roc-curve.ts";

/** When to answer rather than abstain. */
export interface AnswerThreshold {
  /** Answer if P(correct) >= tau, as the accuracy probe says; the scale of `mean_conf_acc_*`. */
  readonly tau: number;
  /** Youden's J there: true minus false positive rate, in (0, 1]. */
  readonly youden: number;
}

/**
 * Chooses tau on validation rows by Youden's J: the cut that best tells wrong from right answers, midway between the
 * two scores it separates.
 * @param incorrectProbability [n] the accuracy probe's P(incorrect)
 * @param incorrect            [n] 1 = wrong; both classes present
 * @returns null if no cut is better than chance
 * @throws RangeError with one class
 * @see Youden 1950, "Index for rating diagnostic tests"
 */
export function chooseAnswerThreshold(
  incorrectProbability: ArrayLike<number>,
  incorrect: ArrayLike<number>,
): AnswerThreshold | null {
  const curve = rocCurve(incorrectProbability, incorrect);
  let best = 0;
  let youden = 0;
  curve.forEach((point, i) => {
    const value = point.truePositiveRate - point.falsePositiveRate;
    if (value > youden) {
      youden = value;
      best = i;
    }
  });
  if (youden === 0) return null;
  // The last point calls everything positive and has J = 0, so a next lower score always exists.
  const border = (curve[best]!.threshold + curve[best + 1]!.threshold) / 2;
  return { tau: 1 - border, youden };
}
