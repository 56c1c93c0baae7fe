import { loadModelProfile, type ModelProfile, PROFILE_FILES } from "../checkpoint/load-model-profile.ts";
import { locateCheckpoint } from "../checkpoint/locate-checkpoint.ts";
import { type OpeningEvent, reportPull } from "../checkpoint/opening-event.ts";
import type { OpenBackendOptions } from "./backend.ts";

export interface OpenedProfile {
  readonly model: ModelProfile;
  /** Where the files are on this machine. */
  readonly path: string;
}

/**
 * The parts of a model besides its weights, which may be elsewhere: config, tokenizer and chat template, downloaded
 * first if they have to be.
 * @throws SepError as `locateCheckpoint` and `loadModelProfile` do
 */
export async function* openProfile(
  reference: string,
  { hub, signal }: Pick<OpenBackendOptions, "hub" | "signal"> = {},
): AsyncGenerator<OpeningEvent, OpenedProfile> {
  const pull = locateCheckpoint(reference, { choice: PROFILE_FILES, hub, signal });
  const { path, commit } = yield* reportPull(reference, pull);
  return { model: await loadModelProfile(path, { id: reference, revision: commit }, { signal }), path };
}
