import { SepError } from "../errors.ts";
import { logistic } from "../math/logistic.ts";
import { applyCalibration } from "./calibration.ts";
import { type DecisionThreshold, isAnswered } from "./choose-decision-threshold.ts";
import { assessState, type FamiliarityAssessment, measureFamiliarity } from "./familiarity.ts";
import type { SpanPool } from "./pooling.ts";
import type { Probe, ProbeDecision } from "./probe.ts";
import { type ProbeInput, scoreProbe } from "./score-probe.ts";

/** What a probe says of one row. */
export interface RiskAssessment {
  /** P(label 1) as the probe says it, in [0, 1]; NaN where a feature is NaN. */
  readonly score: number;
  /** The same, calibrated on questions that the probe was not fitted on; null where the probe has no map. */
  readonly risk: number | null;
  /** null where the probe has no threshold of the requested kind. */
  readonly decision: "answer" | "abstain" | null;
  /** Why it abstains; null where it does not. */
  readonly abstain_reason: "risk" | "unfamiliar" | "no-state" | null;
  /** How unlike the training states it is; null for a probe without familiarity. */
  readonly familiarity: FamiliarityAssessment | null;
}

export interface AssessRiskOptions {
  /** What the decision guarantees; see `DecisionThreshold`. */
  readonly decide?: DecisionThreshold["kind"];
  /** `refuse`: abstain from what is unfamiliar, whatever its risk; `flag`: say so, and leave the decision to the risk. */
  readonly unfamiliar?: "flag" | "refuse";
}

/**
 * Assesses the risk of rows, and whether to answer.
 * @returns [n]
 * @throws SepError `probe-mismatch` as `scoreProbe`; `bad-option` as `requireFamiliarity`
 */
export function assessRisk(
  probe: Probe,
  input: ProbeInput,
  { decide = "risk", unfamiliar = "flag" }: AssessRiskOptions = {},
): RiskAssessment[] {
  requireFamiliarity(probe, unfamiliar);
  const familiarities = measureFamiliarity(probe, input);
  return Array.from(scoreProbe(probe, input), (score, row) =>
    assessScore(probe, score, familiarities[row]!, { decide, unfamiliar }),
  );
}

/**
 * Assesses the risk of a span, from its tokens so far.
 * @throws SepError `bad-option` as `requireFamiliarity`
 */
export function assessSpan(
  probe: Probe,
  pool: SpanPool,
  { decide = "risk", unfamiliar = "flag" }: AssessRiskOptions = {},
): RiskAssessment {
  requireFamiliarity(probe, unfamiliar);
  const familiarity = pool.count === 0 ? null : assessState(probe, pool.mean());
  return assessScore(probe, logistic(pool.score()), familiarity, { decide, unfamiliar });
}

function assessScore(
  probe: Probe,
  score: number,
  familiarity: FamiliarityAssessment | null,
  { decide, unfamiliar }: Required<AssessRiskOptions>,
): RiskAssessment {
  const threshold = findDecision(probe, decide)?.threshold ?? null;
  const { calibration_map } = probe;
  const isRefused = unfamiliar === "refuse" && familiarity?.is_unfamiliar === true;
  const isRisky = threshold !== null && !isAnswered(threshold, score);
  const reason = isRefused ? "unfamiliar" : !isRisky ? null : Number.isNaN(score) ? "no-state" : "risk";
  return {
    score,
    risk: calibration_map === null ? null : applyCalibration(calibration_map, score),
    decision: reason !== null ? "abstain" : threshold === null ? null : "answer",
    abstain_reason: reason,
    familiarity,
  };
}

/** @throws SepError `bad-option` if what is unfamiliar is to be refused and the probe cannot tell */
export function requireFamiliarity(
  { familiarity, features, warnings }: Pick<Probe, "familiarity" | "features" | "warnings">,
  unfamiliar: AssessRiskOptions["unfamiliar"],
): void {
  if (unfamiliar !== "refuse" || familiarity !== null) return;
  const known = warnings.find(({ code }) => code === NO_FAMILIARITY)?.message;
  const reason =
    known ?? (features === "mean-think-entropy" ? "It reads no hidden state." : "Its file does not say.");
  throw new SepError(
    "bad-option",
    `Unfamiliar questions are to be refused, but the probe cannot tell which ones are. ${reason} Flag them instead, or use another probe.`,
  );
}

/** Warning code of a probe that cannot tell what is unfamiliar. */
export const NO_FAMILIARITY = "no-familiarity";

/** The decision of a kind; undefined for a probe trained without one. */
export const findDecision = (
  { decisions }: Pick<Probe, "decisions">,
  kind: DecisionThreshold["kind"],
): ProbeDecision | undefined => decisions.find((each) => each.kind === kind);
