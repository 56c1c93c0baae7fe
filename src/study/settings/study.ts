import { z } from "zod";
import { BATCH, MODEL, VLLM, VLLM_ANSWERS, VLLM_SERVER } from "./backends.ts";
import { ESTIMATE_SETTINGS, MEANING } from "./meaning.ts";
import {
  DATASET_SETTINGS,
  REPORT_SETTINGS,
  STATES_STORAGE,
  TRACE_SETTINGS,
  TRACE_TIME,
  TRAIN_SETTINGS,
} from "./probes.ts";
import { GENERATE_SETTINGS, PREPARE_SETTINGS, REPEATS, SEEDS } from "./sampling.ts";
import type { SettingsInput, SettingsOutput } from "./setting.ts";

/** All settings of a whole study: of `runPipeline`, `sep run`, and files for `--config`. */
export const STUDY = {
  ...PREPARE_SETTINGS,
  ...MODEL,
  ...BATCH,
  ...VLLM,
  ...VLLM_ANSWERS,
  ...VLLM_SERVER,
  ...GENERATE_SETTINGS,
  ...MEANING,
  ...ESTIMATE_SETTINGS,
  ...TRACE_SETTINGS,
  ...STATES_STORAGE,
  ...TRACE_TIME,
  ...DATASET_SETTINGS,
  ...TRAIN_SETTINGS,
  ...REPORT_SETTINGS,
  ...SEEDS,
  ...REPEATS,
};

export type StudyOptions = SettingsInput<typeof STUDY>;
export type StudySettings = SettingsOutput<typeof STUDY>;

/**
 * The JSON schema of a study's settings, from which a form can be built: names, types, ranges, defaults, a description each,
 * and what the command line says of it (`placeholder`, and `fallback` for a default that is worked out later).
 */
export const settingsSchema = (): z.core.JSONSchema.BaseSchema =>
  z.toJSONSchema(z.strictObject(STUDY), { io: "input" });
