import { applyCalibration } from "./calibration-map.ts";
import { type DecisionThreshold, isAnswered } from "./decision-threshold.ts";
import { type Probe, type ProbeDecision, scoreProbe } from "./probe.ts";

/** What a probe says of one row. */
export interface RiskAssessment {
  /** P(label 1) as the probe says it, in [0, 1]; NaN where a feature is NaN. */
  readonly score: number;
  /** The same, calibrated on questions that the probe was not fitted on; null where the probe has no map. */
  readonly risk: number | null;
  /** null where the probe has no threshold for what is asked of the decision. */
  readonly decision: "answer" | "abstain" | null;
}

/**
 * Reads the risk of rows, and whether to answer.
 * @param features [n, width] row-major: one vector, or a matrix
 * @param decide   what the decision is to promise; see `DecisionThreshold`
 * @returns [n]
 * @throws SepError `probe-mismatch` as `scoreProbe`
 */
export function assessRisk(
  probe: Probe,
  features: ArrayLike<number>,
  { decide = "risk" }: { readonly decide?: DecisionThreshold["kind"] } = {},
): RiskAssessment[] {
  const threshold = findDecision(probe, decide)?.threshold ?? null;
  const { calibration_map } = probe;
  return Array.from(scoreProbe(probe, features), (score) => ({
    score,
    risk: calibration_map === null ? null : applyCalibration(calibration_map, score),
    decision: threshold === null ? null : isAnswered(threshold, score) ? "answer" : "abstain",
  }));
}

/** The decision of a kind; undefined for a probe that was never asked for one. */
export const findDecision = (
  { decisions }: Pick<Probe, "decisions">,
  kind: DecisionThreshold["kind"],
): ProbeDecision | undefined => decisions.find((each) => each.kind === kind);
