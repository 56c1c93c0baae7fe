import { SepError } from "../errors.ts";
import { parseProbe } from "./parse-probe.ts";
import type { Probe } from "./probe.ts";

/** The package's entry for browsers, `semantic-entropy-probes/probe`: nothing here or below needs Node or a package. */

export { type AssessRiskOptions, assessRisk, type RiskAssessment } from "./assess-risk.ts";
export { applyCalibration, type CalibrationMap } from "./calibration.ts";
export type { DecisionThreshold } from "./choose-decision-threshold.ts";
export { type FamiliarityAssessment, measureFamiliarity } from "./familiarity.ts";
export type { Familiarity, Probe, ProbeDescription } from "./probe.ts";
export {
  assertStates,
  assertThinkEntropies,
  type FeatureOrigin,
  type PlacedStates,
  type ProbeInput,
  requireProbeFits,
  type StatesPlace,
  scoreProbe,
  type ThinkEntropies,
} from "./score-probe.ts";
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
    throw new SepError("bad-artefact", `${url} does not name the file of its weights. Check the address.`);
  const weights = await get(new URL(file, answer.url || url));
  return parseProbe(json, new Uint8Array(await weights.arrayBuffer()));
}
