import { POCKET_MODEL } from "../models/locate-checkpoint.ts";
import type { SamplerSettings } from "../sampling/sampler-settings.ts";

/** Where nothing else is said. Sampling follows the reasoning pipelines this package continues. */
export const STUDY_DEFAULTS = {
  dataset: "arithmetic",
  ood: "word-problems",
  model: POCKET_MODEL as string,
  runs: 10,
  seed: 42,
  temperature: 0.6,
  topP: 0.9,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
} as const;

/** What a study may change of the sampler. */
export type SamplerChoice = { readonly [Key in keyof SamplerSettings]?: SamplerSettings[Key] | undefined };

/**
 * The sampler of a study: the defaults with what was chosen on top.
 * @param model its reference, for the default of `maxNewTokens`
 */
export function resolveSampler(model: string, chosen: SamplerChoice = {}): SamplerSettings {
  const { temperature, topP, topK, minP, repetitionPenalty } = STUDY_DEFAULTS;
  return {
    temperature: chosen.temperature ?? temperature,
    topP: chosen.topP ?? topP,
    topK: chosen.topK ?? topK,
    minP: chosen.minP ?? minP,
    repetitionPenalty: chosen.repetitionPenalty ?? repetitionPenalty,
    maxNewTokens: chosen.maxNewTokens ?? defaultMaxNewTokens(model),
    stopStrings: chosen.stopStrings ?? [],
    stopTokenIds: chosen.stopTokenIds ?? [],
  };
}

/** The embedded model thinks in short lines: what has not ended by 160 tokens never will. */
function defaultMaxNewTokens(model: string): number {
  return model === POCKET_MODEL ? 160 : 2048;
}
