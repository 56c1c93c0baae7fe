import { mean } from "../math/vector.ts";
import { chooseDecisionThreshold, type DecisionTarget } from "../probes/choose-decision-threshold.ts";
import { type DecisionThreshold, isAnswered } from "../probes/decision-threshold.ts";
import { type BootstrapResult, bootstrapInterval } from "./bootstrap-interval.ts";
import type { InferenceOptions } from "./evaluate-score.ts";

/** What a threshold did on rows that it was not chosen on. Every question counts the same, as in the guarantee. */
export interface AchievedDecision {
  readonly question_count: number;
  /** Mean over questions of the share of answers given. */
  readonly coverage: BootstrapResult;
  /** Mean over questions of the share of answers that were given and wrong. */
  readonly risk: BootstrapResult;
  /** Share of wrong answers among those given; null if none was. No guarantee is about it. */
  readonly error_when_answering: number | null;
}

/** A target for one score: the threshold that was chosen, and what it achieved elsewhere. */
export interface DecisionEvaluation<Split extends string = string> extends DecisionTarget {
  readonly score: string;
  /** null where the target cannot be promised; `reason` says why. */
  readonly threshold: DecisionThreshold | null;
  readonly reason: string | null;
  /** By split; empty without a threshold. */
  readonly achieved: Readonly<Partial<Record<Split, AchievedDecision>>>;
}

/** The columns that a decision rests on. */
export interface DecisionRows {
  /** [n] higher = more uncertain, NaN where there is none */
  readonly scores: Float64Array;
  /** [n] */
  readonly incorrect: Uint8Array;
  readonly questionIds: readonly string[];
}

/**
 * Chooses a threshold on some questions and tries it on others.
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
  const sizes = new Map<string, number>();
  for (const question of questionIds) sizes.set(question, (sizes.get(question) ?? 0) + 1);
  const answered = Array.from(scores, (value) => (isAnswered(threshold, value) ? 1 : 0));
  const meanOverQuestions = (loss: (row: number) => number): BootstrapResult => {
    const shares = questionIds.map((question, row) => loss(row) / sizes.get(question)!);
    return bootstrapInterval(
      questionIds,
      (weights) => {
        let total = 0;
        let questions = 0;
        weights.forEach((weight, row) => {
          total += weight * shares[row]!;
          questions += weight / sizes.get(questionIds[row]!)!;
        });
        return total / questions;
      },
      options,
    );
  };
  const given = Array.from(incorrect).filter((_, row) => answered[row] === 1);
  return {
    question_count: sizes.size,
    coverage: meanOverQuestions((row) => answered[row]!),
    risk: meanOverQuestions((row) => answered[row]! * incorrect[row]!),
    error_when_answering: given.length === 0 ? null : mean(given),
  };
}
