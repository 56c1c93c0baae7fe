import type { LanguageModel } from "../../engine/language-model.ts";
import type { EstimateNeed } from "../../entropy/measures/estimate.ts";
import { chooseEstimates } from "../../entropy/measures/estimate-registry.ts";
import type { PTrueShot } from "../../entropy/state-measures.ts";
import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import { ESTIMATE_SETTINGS } from "../settings/meaning.ts";
import { resolveSettings, type SettingsInput } from "../settings/setting.ts";

/** Which numbers are computed from clustered samples. */
export interface EstimateOptions extends SettingsInput<typeof ESTIMATE_SETTINGS> {
  /** The model that says how likely its answers are true, for `p_false`. */
  readonly pTrueModel?: LanguageModel | undefined;
  /** Examples that it is shown, about other questions than those that are measured; none when not given. */
  readonly pTrueShots?: readonly PTrueShot[] | undefined;
  /** Milliseconds, for what each estimate takes; only differences count. */
  readonly now?: (() => number) | undefined;
}

/**
 * What of the options decides the output, for the manifest.
 * @throws SepError `bad-option` for an unknown measure, or a model that none asks
 */
export function describeEstimates({
  pTrueModel,
  pTrueShots,
  ...options
}: EstimateOptions): Record<string, Json> {
  const { estimates, seMode } = resolveSettings(ESTIMATE_SETTINGS, options);
  if (pTrueModel !== undefined && !needs({ estimates }, "language_model"))
    throw new SepError(
      "bad-option",
      "Got a model for p(True), but none of the measures uses it. Ask for p_false (--estimates p_false, or all).",
    );
  if (pTrueShots !== undefined && pTrueModel === undefined)
    throw new SepError(
      "bad-option",
      "Got examples for p(True), but no model to show them to. Name one (--p-true-model).",
    );
  return {
    estimates: chooseEstimates(estimates).map(({ name }) => name),
    se_mode: seMode ?? null,
    ...(pTrueModel === undefined ? {} : { p_true_model: { ...pTrueModel.provenance } }),
    ...(pTrueShots === undefined
      ? {}
      : { p_true_shots: pTrueShots.length, p_true_shots_sha256: fingerprint(JSON.stringify(pTrueShots)) }),
  };
}

/** Whether one of the requested measures needs it. */
export const needs = ({ estimates = "default" }: EstimateOptions, ...any: readonly EstimateNeed[]): boolean =>
  chooseEstimates(estimates).some((estimate) => estimate.needs.some((need) => any.includes(need)));
