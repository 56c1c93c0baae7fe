/**
 * When to answer: at a score that is at most `threshold`. Plain data, as it stands in JSON.
 * - `coverage`: at least the target share of a new question's answers is given.
 * - `risk`: at most the target share of all of a new question's answers is given and wrong.
 */
export interface DecisionThreshold {
  readonly kind: "risk" | "coverage";
  /** The share asked for, in (0, 1). */
  readonly target: number;
  /** In the units of the score itself, before any calibration map; higher scores are more uncertain. */
  readonly threshold: number;
  /** What holds, over what is random, and under which assumption: one sentence for people. */
  readonly guarantee: string;
  /** Independent questions that the threshold was chosen on. */
  readonly calibration_questions: number;
}

/** Whether to give an answer of this score. @returns false for NaN: what cannot be judged is not answered */
export const isAnswered = ({ threshold }: Pick<DecisionThreshold, "threshold">, score: number): boolean =>
  score <= threshold;
