import type { ConfigReader } from "../graph/config-reader.ts";

/** How a model's authors sample from it. */
export interface GenerationDefaults {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
}

/**
 * The sampling settings in `generation_config.json`.
 * @returns null where there is none, or where it does not ask for sampling (`do_sample`)
 */
export function readGenerationDefaults(generation: ConfigReader | null): GenerationDefaults | null {
  if (generation === null || !generation.flag("do_sample", false)) return null;
  const read = <K extends keyof GenerationDefaults>(key: K, field: string): GenerationDefaults =>
    generation.has(field) ? { [key]: generation.number(field) } : {};
  return {
    ...read("temperature", "temperature"),
    ...read("topP", "top_p"),
    ...read("topK", "top_k"),
    ...read("minP", "min_p"),
    ...read("repetitionPenalty", "repetition_penalty"),
  };
}
