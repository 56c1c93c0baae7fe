import { drain } from "../net/map-concurrently.ts";
import { type Checkpoint, openCheckpointFolder } from "./checkpoint.ts";
import { openGgufCheckpoint } from "./gguf/open-gguf.ts";
import {
  type CheckpointLocation,
  isGgufPath,
  type LocateCheckpointOptions,
  locateCheckpoint,
} from "./locate-checkpoint.ts";
import type { OpenTokenizerOptions } from "./tokenizer/load-text-tokenizer.ts";

/**
 * Opens what a model reference stands for; downloads it silently if it is a model on the hub that is not in
 * the cache. Use `locateCheckpoint` to see the download's progress.
 * @throws SepError as `locateCheckpoint` and the opener do
 */
export async function findCheckpoint(
  reference: string,
  options: LocateCheckpointOptions = {},
): Promise<Checkpoint & CheckpointLocation> {
  const location = await drain(locateCheckpoint(reference, options));
  return { ...(await openCheckpoint(location.path, options)), ...location };
}

/** Opens a folder in Hugging Face format or a `.gguf` file. @throws SepError as the opener does */
export const openCheckpoint = (path: string, { signal }: OpenTokenizerOptions): Promise<Checkpoint> =>
  (isGgufPath(path) ? openGgufCheckpoint : openCheckpointFolder)(path, { signal });
