import { SepError } from "../errors.ts";
import { openHub, type PullEvent } from "./hub/hub.ts";
import { parseHubModelId } from "./hub/hub-model-id.ts";
import { pullRepository } from "./hub/pull-repository.ts";
import type { CheckpointLocation, LocateCheckpointOptions } from "./locate-checkpoint.ts";

/**
 * Downloads the newest commit of a model of the Hugging Face hub into the cache that Python's libraries use.
 * @param reference `org/name` or `org/name@revision`
 * @returns where it is
 * @throws SepError `model-not-found` for what is no such reference, `model-not-cached` if the environment forbids
 *   asking the hub, and as `pullRepository` does
 */
export async function* pullModel(
  reference: string,
  { hub: options, choice, signal }: LocateCheckpointOptions = {},
): AsyncGenerator<PullEvent, CheckpointLocation> {
  const id = parseHubModelId(reference);
  if (id === null) {
    throw new SepError(
      "model-not-found",
      `Got "${reference}", expected a model of the hub as "org/name" or "org/name@revision".`,
    );
  }
  const hub = await openHub(options);
  if (hub.settings.offline) {
    throw new SepError(
      "model-not-cached",
      "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids asking the hub. Unset it to pull a model.",
    );
  }
  const { folder, commit } = yield* pullRepository(hub, id, { choice, signal });
  return { path: folder, commit };
}
