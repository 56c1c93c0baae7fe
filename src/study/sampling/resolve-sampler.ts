import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import { POCKET_MODEL } from "../../checkpoint/locate-checkpoint.ts";
import {
  type GenerationDefaults,
  type SamplerSettings,
  WHOLE_DISTRIBUTION,
} from "../../engine/generate/sampler-settings.ts";
import { SepError } from "../../errors.ts";
import { GENERATE_SETTINGS, SAMPLER, STUDY_SAMPLER } from "../settings/sampling.ts";
import { defaultOf, resolveSettings, type SettingsInput } from "../settings/setting.ts";

/** What a study may change of the sampler. */
export type SamplerChoice = SettingsInput<typeof SAMPLER>;

/** Where a setting comes from. */
export type SettingSource = "user" | "generation_config" | "default";

/** A sampler and where each of its distribution's settings comes from. */
export interface ResolvedSampler {
  readonly settings: SamplerSettings;
  readonly sources: Readonly<Record<keyof GenerationDefaults, SettingSource>>;
}

/**
 * The sampler of a study: what the user chose, on top of the preset `sampler`. `study` is the same for every model, so that
 * their entropies can be compared; `model` is what the model's authors recommend, and whatever they leave open is off.
 * @throws SepError `bad-option` for the preset `model` where the model's authors recommend nothing, or more tokens than
 *   the model takes
 */
export function resolveSampler(
  model: Pick<ModelProfile, "provenance" | "generationDefaults" | "config">,
  choice: SamplerChoice = {},
): ResolvedSampler {
  const chosen = resolveSettings(SAMPLER, choice);
  requireRoom(model, chosen.maxNewTokens);
  const recommended = chosen.sampler === "model" ? requireRecommended(model) : {};
  const fallback = chosen.sampler === "model" ? WHOLE_DISTRIBUTION : STUDY_SAMPLER;
  const pick = (key: keyof GenerationDefaults): { value: number; source: SettingSource } => {
    const [user, generationConfig] = [chosen[key], recommended[key]];
    if (user !== undefined) return { value: user, source: "user" };
    if (generationConfig !== undefined) return { value: generationConfig, source: "generation_config" };
    return { value: fallback[key], source: "default" };
  };
  const picked = Object.fromEntries(DISTRIBUTION_SETTINGS.map((key) => [key, pick(key)])) as Record<
    keyof GenerationDefaults,
    ReturnType<typeof pick>
  >;
  return {
    settings: {
      temperature: picked.temperature.value,
      topP: picked.topP.value,
      topK: Math.max(0, picked.topK.value), // -1 keeps all, too
      minP: picked.minP.value,
      repetitionPenalty: picked.repetitionPenalty.value,
      maxNewTokens: chosen.maxNewTokens ?? defaultMaxNewTokens(model.provenance.id),
      stopStrings: chosen.stop,
      stopTokenIds: [],
    },
    sources: Object.fromEntries(
      DISTRIBUTION_SETTINGS.map((key) => [key, picked[key].source]),
    ) as ResolvedSampler["sources"],
  };
}

/**
 * What of `generation_config.json` a sampler does not follow, as a sentence for the user.
 * @returns null if it follows all of it, or where there is nothing
 */
export function describeUnfollowed(
  { generationDefaults }: Pick<ModelProfile, "generationDefaults">,
  sampler: SamplerSettings,
): string | null {
  const differing = DISTRIBUTION_SETTINGS.flatMap((key) => {
    const value = generationDefaults?.[key];
    return value === undefined || Math.max(0, value) === sampler[key]
      ? []
      : [`${key} ${sampler[key]} instead of ${value}`];
  });
  if (differing.length === 0) return null;
  return `sampling with ${differing.join(", ")}, which the model's generation_config.json recommends; --sampler model follows it`;
}

/** @throws SepError `bad-option` where an answer could be longer than the model's context */
export function requireRoom(
  { provenance, config }: Pick<ModelProfile, "provenance" | "config">,
  maxNewTokens: number | undefined,
): void {
  if (maxNewTokens === undefined || maxNewTokens < config.maxPositions) return;
  throw new SepError(
    "bad-option",
    `Got --max-new-tokens ${maxNewTokens}, but ${provenance.id} takes ${config.maxPositions} tokens for prompt and answer together. Give fewer.`,
  );
}

const DISTRIBUTION_SETTINGS: readonly (keyof GenerationDefaults)[] = [
  "temperature",
  "topP",
  "topK",
  "minP",
  "repetitionPenalty",
];

function requireRecommended({
  provenance,
  generationDefaults,
}: Pick<ModelProfile, "provenance" | "generationDefaults">): GenerationDefaults {
  if (generationDefaults !== null) return generationDefaults;
  throw new SepError(
    "bad-option",
    `Got --sampler model, but ${provenance.id} has no generation_config.json with "do_sample": true. Leave out --sampler, or give --temperature and --top-p.`,
  );
}

/** The embedded model thinks in short lines: what has not ended by 160 tokens never will. */
function defaultMaxNewTokens(model: string): number {
  return model === POCKET_MODEL ? 160 : 2048;
}

/** Options of `generateRuns` for a question's best answer. */
interface BestAnswerOptions {
  readonly answers: "best";
  readonly runs: 1;
  readonly sampler: SamplerSettings;
  readonly samplerSources: ResolvedSampler["sources"];
}

/**
 * The samples' settings made those of a question's best answer: one sample, at another temperature.
 * @see Farquhar et al. 2024, Methods; Kossen et al. 2024, section 4: temperature 0.1
 */
export const asBest = (
  sampler: SamplerSettings,
  sources: ResolvedSampler["sources"],
  temperature: number,
): BestAnswerOptions => ({
  answers: "best",
  runs: 1,
  sampler: { ...sampler, temperature },
  samplerSources: {
    ...sources,
    temperature: temperature === defaultOf(GENERATE_SETTINGS.bestTemperature) ? "default" : "user",
  },
});
