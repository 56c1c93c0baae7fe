import { z } from "zod";
import { SINGLE_POSITIONS, type TracePosition } from "../../engine/places.ts";
import { SepError } from "../../errors.ts";
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

/**
 * Refuses positions and layers of the probes that are not traced: a slip here should not show after hours.
 * @throws SepError `bad-option`
 */
export function checkPlace({ positions, position, layers, layer, window }: StudySettings): void {
  if (positions.includes("spans") || position === "spans")
    throw new SepError(
      "bad-option",
      "Got the position spans, but stretches of answers can be marked only when there are answers. Mark them after this run, and give them to `sep trace --positions spans --spans FILE`.",
    );
  const traced: readonly TracePosition[] = positions === "all" ? SINGLE_POSITIONS : positions;
  if (position !== "auto" && !traced.includes(position)) {
    throw new SepError(
      "bad-option",
      `Got position ${position} for the probes, but hidden states are read only at ${traced.join(", ")}. Add it to --positions.`,
    );
  }
  const names = layers === "all" ? null : layers;
  const missing = Array.from({ length: window }, (_, i) => (layer as number) + i).filter(
    (each) => layer !== "best" && names !== null && !names.includes(each),
  );
  if (missing.length > 0) {
    throw new SepError(
      "bad-option",
      `Got layer ${missing.join(", ")} for the probes, but hidden states are read only in layers ${names?.join(", ")}. Add it to --layers.`,
    );
  }
}
