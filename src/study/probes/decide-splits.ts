import type { CalibrationMaps } from "../../evaluation/evaluate-calibration.ts";
import {
  type DecisionEvaluation,
  type DecisionRows,
  evaluateDecision,
} from "../../evaluation/evaluate-decision.ts";
import type { ScoreName, SplitScores } from "../../evaluation/evaluate-split.ts";
import type { EvaluatedSplit } from "../../evaluation/probe-eval.ts";
import { fitCalibration } from "../../probes/calibration.ts";
import type { DecisionTarget } from "../../probes/choose-decision-threshold.ts";
import type { ScoredSplit } from "./score-study.ts";

/** The maps that make calibrated probabilities of the probes' scores, fitted on validation rows. */
export function fitCalibrationMaps({
  accuracyProbe,
  seProbe,
  entropyBaseline,
  incorrect,
  highSemanticEntropy,
  discreteSemanticEntropy,
}: SplitScores): Readonly<Record<"accuracy_probe" | "se_probe" | "entropy_baseline", CalibrationMaps>> {
  const fitBoth = (scores: Float64Array, labels: Uint8Array): CalibrationMaps => ({
    platt: fitCalibration(scores, labels, "platt"),
    isotonic: fitCalibration(scores, labels, "isotonic"),
  });
  const labelled = seProbe.map((score, row) =>
    Number.isNaN(discreteSemanticEntropy[row]) ? Number.NaN : score,
  );
  return {
    accuracy_probe: fitBoth(accuracyProbe, incorrect),
    se_probe: fitBoth(labelled, highSemanticEntropy),
    entropy_baseline: fitBoth(entropyBaseline, incorrect),
  };
}

/** Chooses each target's threshold for each score on `math_val`, and tries it on the other splits. */
export function decideSplits(
  scored: readonly ScoredSplit[],
  targets: readonly DecisionTarget[],
  options: { readonly resamples: number; readonly seed: number },
): DecisionEvaluation<EvaluatedSplit>[] {
  const rowsOf = ({ questionGroups, incorrect, ...columns }: SplitScores, name: ScoreName): DecisionRows => ({
    scores: columns[COLUMNS[name]],
    incorrect,
    questionIds: questionGroups,
  });
  const validation = scored.find(({ split }) => split === "math_val")!.scores;
  const held = scored.filter(({ split }) => split !== "math_val");
  return (Object.keys(COLUMNS) as ScoreName[]).flatMap((name) => {
    const calibration = rowsOf(validation, name);
    if (calibration.scores.every(Number.isNaN)) return [];
    const tried = Object.fromEntries(held.map(({ split, scores }) => [split, rowsOf(scores, name)]));
    return targets.map((target) =>
      evaluateDecision<EvaluatedSplit>(name, target, calibration, tried, options),
    );
  });
}

const COLUMNS = {
  accuracy_probe: "accuracyProbe",
  se_probe: "seProbe",
  entropy_baseline: "entropyBaseline",
  semantic_entropy: "semanticEntropy",
  discrete_semantic_entropy: "discreteSemanticEntropy",
} as const satisfies Record<ScoreName, keyof SplitScores>;
