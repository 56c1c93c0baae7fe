/**
 * The entry `semantic-entropy-probes/probe`, to score answers with a probe in a browser. Nothing here or below needs Node or a package.
 * @module probe
 */

import { SepError } from "../errors.ts";
import { parseProbe } from "./parse-probe.ts";
import type { Probe } from "./probe.ts";

export type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
export type { Json } from "../formats/json.ts";
export type { PlattScaling } from "../math/logistic.ts";
export type { ManifestWarning } from "../store/manifest.ts";
export { type AssessRiskOptions, assessRisk, type RiskAssessment } from "./assess-risk.ts";
export { applyCalibration, type CalibrationMap } from "./calibration.ts";
export type {
  DecisionPoint,
  DecisionTarget,
  DecisionThreshold,
  ThresholdChoice,
} from "./choose-decision-threshold.ts";
export { type FamiliarityAssessment, measureFamiliarity } from "./familiarity.ts";
export type { ClassWeight } from "./fit-logistic.ts";
export {
  createSpanPool,
  POOLINGS,
  type PoolingMethod,
  type PoolingProbe,
  type SpanPool,
  type SpanPooling,
  type SpanValues,
} from "./pooling.ts";
export type {
  Familiarity,
  GenerationConfig,
  LayerScore,
  NestedFold,
  Optimisation,
  PenaltyScore,
  PermutationEstimate,
  PermutationTest,
  Probe,
  ProbeDecision,
  ProbeDescription,
  ProbeTarget,
  ProbeTraining,
} from "./probe.ts";
export type { HiddenLayer, ProbeWeights } from "./probe-weights.ts";
export {
  assertSpans,
  assertStates,
  assertThinkEntropies,
  type FeatureOrigin,
  type PlacedSpans,
  type PlacedStates,
  type ProbeInput,
  requireProbeFits,
  type StatesPlace,
  scoreProbe,
  type ThinkEntropies,
} from "./score-probe.ts";
export type { ChainLabel, MeasuredLabel, RowLabel } from "./unit-labels.ts";
export { parseProbe };

/**
 * Reads a probe from where it is published.
 * @param url of its JSON file; the weights are the file beside it that the JSON names
 * @throws SepError `missing-input` for a status that is not ok, and as `parseProbe`; TypeError where `fetch` fails
 */
export async function fetchProbe(
  url: string | URL,
  { fetch = globalThis.fetch }: { readonly fetch?: typeof globalThis.fetch } = {},
): Promise<Probe> {
  const get = async (from: string | URL): Promise<Response> => {
    const response = await fetch(from);
    if (response.ok) return response;
    throw new SepError("missing-input", `${from} answers with status ${response.status}. Check the address.`);
  };
  const answer = await get(url);
  const json = await answer.text();
  const file = /"file"\s*:\s*"([^"/\\]+)"/.exec(json)?.[1];
  if (file === undefined)
    throw new SepError("bad-artifact", `${url} does not name the file of its weights. Check the address.`);
  const weights = await get(new URL(file, answer.url || url));
  return parseProbe(json, new Uint8Array(await weights.arrayBuffer()));
}
