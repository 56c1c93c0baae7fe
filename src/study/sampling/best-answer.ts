import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import { GENERATE } from "../settings/sampling.ts";
import { defaultOf } from "../settings/setting.ts";
import type { GenerateRunsOptions } from "./plan-generation.ts";
import type { ResolvedSampler } from "./resolve-sampler.ts";

/**
 * The samples' settings made those of a question's best answer: one draw, at another temperature.
 * @see Farquhar et al. 2024, Methods; Kossen et al. 2024, section 4: temperature 0.1
 */
export const asBest = (
  sampler: SamplerSettings,
  sources: ResolvedSampler["sources"],
  temperature: number,
): Pick<GenerateRunsOptions, "answers" | "runs" | "sampler" | "samplerSources"> => ({
  answers: "best",
  runs: 1,
  sampler: { ...sampler, temperature },
  samplerSources: {
    ...sources,
    temperature: temperature === defaultOf(GENERATE.bestTemperature) ? "default" : "user",
  },
});
