import type { CalibrationMaps } from "../../evaluation/evaluate-calibration.ts";
import {
  type DecisionEvaluation,
  type DecisionRows,
  evaluateDecision,
} from "../../evaluation/evaluate-decision.ts";
import type { SplitScores } from "../../evaluation/evaluate-split.ts";
import type { EvaluatedSplit } from "../../evaluation/probe-eval.ts";
import { SCORE_NAMES, type ScoreName, type StudyScoreName } from "../../evaluation/score-names.ts";
import { fitCalibration } from "../../probes/calibration.ts";
import { type DecisionTarget, NO_DECISION_ON_PARTS } from "../../probes/choose-decision-threshold.ts";

/** The maps that make calibrated probabilities of the probes' scores, fitted on validation rows. */
export function fitCalibrationMaps({
  byName,
  incorrect,
  highSemanticEntropy,
}: SplitScores<StudyScoreName>): Readonly<
  Record<"accuracy_probe" | "se_probe" | "entropy_baseline", CalibrationMaps>
> {
  const fitBoth = (scores: Float64Array, labels: Uint8Array): CalibrationMaps => ({
    platt: fitCalibration(scores, labels, "platt"),
    isotonic: fitCalibration(scores, labels, "isotonic"),
  });
  const labelled = byName.se_probe.map((score, row) =>
    Number.isNaN(byName.discrete_semantic_entropy[row]) ? Number.NaN : score,
  );
  return {
    accuracy_probe: fitBoth(byName.accuracy_probe, incorrect),
    se_probe: fitBoth(labelled, highSemanticEntropy),
    entropy_baseline: fitBoth(byName.entropy_baseline, incorrect),
  };
}

/**
 * Chooses each target's threshold for each score on `math_val`, and tries it on the other splits.
 * @param options.isParts rows are parts of answers, for which nothing is promised
 */
export function decideSplits(
  scored: readonly { readonly split: EvaluatedSplit; readonly scores: SplitScores }[],
  targets: readonly DecisionTarget[],
  { isParts, ...options }: { readonly resamples: number; readonly seed: number; readonly isParts: boolean },
): DecisionEvaluation<EvaluatedSplit>[] {
  const rowsOf = ({ questionGroups, incorrect, byName }: SplitScores, name: ScoreName): DecisionRows => ({
    scores: byName[name],
    incorrect,
    questionIds: questionGroups,
  });
  const validation = scored.find(({ split }) => split === "math_val")!.scores;
  const held = scored.filter(({ split }) => split !== "math_val");
  return SCORE_NAMES.flatMap((name) => {
    const calibration = rowsOf(validation, name);
    if (calibration.scores.every(Number.isNaN)) return [];
    if (isParts)
      return targets.map((target) => ({ score: name, ...target, ...NO_DECISION_ON_PARTS, achieved: {} }));
    const tried = Object.fromEntries(held.map(({ split, scores }) => [split, rowsOf(scores, name)]));
    return targets.map((target) =>
      evaluateDecision<EvaluatedSplit>(name, target, calibration, tried, options),
    );
  });
}
