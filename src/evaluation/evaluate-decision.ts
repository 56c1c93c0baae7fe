import { rocCurve } from "../math/roc-curve.ts";
import {
  chooseDecisionThreshold,
  type DecisionTarget,
  type DecisionThreshold,
  isAnswered,
} from "../probes/choose-decision-threshold.ts";
import { type BootstrapResult, bootstrapInterval } from "./bootstrap-interval.ts";
import type { InferenceOptions } from "./evaluate-score.ts";

/** What a threshold achieved on rows that it was not chosen on. Every question has equal weight, as in the guarantee. */
export interface AchievedDecision {
  readonly question_count: number;
  /** Mean over questions of the share of answers given. */
  readonly coverage: BootstrapResult;
  /** Mean over questions of the share of answers that were given and wrong. */
  readonly risk: BootstrapResult;
  /** Share of wrong answers among those given; null if none was. Not covered by the guarantee. */
  readonly error_when_answering: number | null;
}

/** A target for one score: the threshold that was chosen, and what it achieved elsewhere. */
export interface DecisionEvaluation<Split extends string = string> extends DecisionTarget {
  readonly score: string;
  /** null where the target cannot be guaranteed; `reason` says why. */
  readonly threshold: DecisionThreshold | null;
  readonly reason: string | null;
  /** By split; empty without a threshold. */
  readonly achieved: Readonly<Partial<Record<Split, AchievedDecision>>>;
}

/** The columns that a decision is based on. */
export interface DecisionRows {
  /** [n] higher = more uncertain, NaN where there is none */
  readonly scores: Float64Array;
  /** [n] */
  readonly incorrect: Uint8Array;
  readonly questionIds: readonly string[];
}

/**
 * Chooses a threshold on some questions and evaluates it on others.
 * @param score what the score is called
 * @param held  the splits to try it on
 */
export function evaluateDecision<Split extends string>(
  score: string,
  { kind, target }: DecisionTarget,
  calibration: DecisionRows,
  held: Readonly<Partial<Record<Split, DecisionRows>>>,
  options: Pick<InferenceOptions, "resamples" | "seed"> = {},
): DecisionEvaluation<Split> {
  const { scores, incorrect, questionIds } = calibration;
  const choice = chooseDecisionThreshold(scores, incorrect, questionIds, { kind, target });
  const { threshold } = choice;
  const achieved: Partial<Record<Split, AchievedDecision>> = {};
  if (threshold !== null) {
    for (const [split, rows] of Object.entries(held) as [Split, DecisionRows][]) {
      if (rows.incorrect.length > 0) achieved[split] = tryThreshold(threshold, rows, options);
    }
  }
  return { score, kind, target, ...choice, achieved };
}

function tryThreshold(
  threshold: DecisionThreshold,
  { scores, incorrect, questionIds }: DecisionRows,
  options: Pick<InferenceOptions, "resamples" | "seed">,
): AchievedDecision {
  const rowsOf = new Map<string, { rows: number; answered: number; wrong: number }>();
  questionIds.forEach((question, row) => {
    const sums = rowsOf.get(question) ?? { rows: 0, answered: 0, wrong: 0 };
    const answered = isAnswered(threshold, scores[row]!) ? 1 : 0;
    sums.rows += 1;
    sums.answered += answered;
    sums.wrong += answered * incorrect[row]!;
    rowsOf.set(question, sums);
  });
  const questions = [...rowsOf.values()];
  const meanOverQuestions = (shares: readonly number[]): BootstrapResult =>
    bootstrapInterval(
      [...rowsOf.keys()],
      (weights) => {
        let total = 0;
        let count = 0;
        for (let question = 0; question < shares.length; question++) {
          total += weights[question]! * shares[question]!;
          count += weights[question]!;
        }
        return total / count;
      },
      options,
    );
  const given = questions.reduce((sum, { answered }) => sum + answered, 0);
  const wrong = questions.reduce((sum, each) => sum + each.wrong, 0);
  return {
    question_count: questions.length,
    coverage: meanOverQuestions(questions.map(({ answered, rows }) => answered / rows)),
    risk: meanOverQuestions(questions.map((each) => each.wrong / each.rows)),
    error_when_answering: given === 0 ? null : wrong / given,
  };
}

/** When to answer rather than abstain. */
interface AnswerThreshold {
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
