import { z } from "zod";
import { MODEL, VLLM, VLLM_ANSWERS, VLLM_SERVER, VLLM_STATES, VLLM_STUDY } from "./backends.ts";
import { ESTIMATES, MEANING } from "./meaning.ts";
import { DATASET, REPORT, TRACE, TRAIN } from "./probes.ts";
import { GENERATE, PREPARE, SEED } from "./sampling.ts";
import type { SettingsInput, SettingsOutput } from "./setting.ts";

/** All settings of a whole study: of `runPipeline`, `sep run`, and files for `--config`. */
export const STUDY = {
  ...PREPARE,
  ...MODEL,
  ...VLLM,
  ...VLLM_ANSWERS,
  ...VLLM_STATES,
  ...VLLM_STUDY,
  ...VLLM_SERVER,
  ...GENERATE,
  ...MEANING,
  ...ESTIMATES,
  ...TRACE,
  ...DATASET,
  ...TRAIN,
  ...REPORT,
  ...SEED,
};

export type StudyOptions = SettingsInput<typeof STUDY>;
export type StudySettings = SettingsOutput<typeof STUDY>;

/**
 * The JSON schema of a study's settings, from which a form can be built: names, types, ranges, defaults, a description each,
 * and what the command line says of it (`placeholder`, and `fallback` for a default that is worked out later).
 */
export const settingsSchema = (): z.core.JSONSchema.BaseSchema =>
  z.toJSONSchema(z.strictObject(STUDY), { io: "input" });
