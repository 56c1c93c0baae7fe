import { drain } from "../net/map-concurrently.ts";
import { type Checkpoint, openCheckpointFolder } from "./checkpoint.ts";
import { openGgufCheckpoint } from "./gguf/open-gguf.ts";
import {
  type CheckpointLocation,
  isGgufPath,
  type LocateCheckpointOptions,
  locateCheckpoint,
} from "./locate-checkpoint.ts";

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
  const open = isGgufPath(location.path) ? openGgufCheckpoint : openCheckpointFolder;
  return { ...(await open(location.path, { signal: options.signal })), ...location };
}
