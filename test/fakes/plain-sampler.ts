import type { SamplerSettings } from "../../src/engine/generate/sampler-settings.ts";

/** Tokens as the model's own distribution has them, 40 at most; tests change what they are about. */
export const PLAIN_SAMPLER: SamplerSettings = {
  temperature: 1,
  topP: 1,
  topK: 0,
  minP: 0,
  repetitionPenalty: 1,
  maxNewTokens: 40,
  stopStrings: [],
  stopTokenIds: [],
};
