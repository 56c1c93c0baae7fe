import type { LoadModelOptions } from "../checkpoint/load-model.ts";
import type { OptionValues } from "./option-spec.ts";
import type { MODEL_OPTIONS } from "./step-options.ts";

type ModelValues = OptionValues<Omit<typeof MODEL_OPTIONS, "backend">>;

/** How the model runs. */
export type ModelChoices = Pick<LoadModelOptions, "dtype" | "threads" | "memoryBytes"> &
  Pick<ModelValues, "device">;

const BYTES_PER_GIB = 2 ** 30;

/** What the model options ask for, in the library's words. */
export function readModelChoices({
  dtype,
  device,
  threads,
  memory,
}: Omit<ModelValues, "model" | "backend">): ModelChoices {
  return { dtype, device, threads, memoryBytes: memory === undefined ? undefined : memory * BYTES_PER_GIB };
}
