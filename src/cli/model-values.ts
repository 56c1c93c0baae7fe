import type { SamplerChoice } from "../pipeline/study-defaults.ts";
import type { OptionValues } from "./option-spec.ts";
import type { SAMPLING_OPTIONS } from "./step-options.ts";

type SamplingValues = OptionValues<typeof SAMPLING_OPTIONS>;

/** The sampler that the sampling options ask for. */
export function readSampler(values: SamplingValues): SamplerChoice {
  return {
    temperature: values.temperature,
    topP: values["top-p"],
    topK: values["top-k"],
    minP: values["min-p"],
    repetitionPenalty: values["repetition-penalty"],
    maxNewTokens: values["max-new-tokens"],
    stopStrings: values.stop,
  };
}
