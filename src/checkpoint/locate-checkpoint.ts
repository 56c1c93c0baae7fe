import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { SepError } from "../errors.ts";
import { type FetchModelOptions, fetchModel } from "./hub/fetch-model.ts";
import { type HubOptions, openHub, type PullEvent } from "./hub/hub.ts";
import { parseHubModelId } from "./hub/hub-model-id.ts";
import { pullRepository } from "./hub/pull-repository.ts";

/** Name of the model that ships with this package. */
export const POCKET_MODEL = "pocket";
/** Where it is. */
export const POCKET_FOLDER: string = fileURLToPath(new URL("../../models/pocket", import.meta.url));

/** Where a model is on this machine. */
export interface CheckpointLocation {
  /** A folder in Hugging Face format, or a `.gguf` file. */
  readonly path: string;
  /** Commit of the hub's repository; null for models that are not from there. */
  readonly commit: string | null;
}

export interface LocateCheckpointOptions extends FetchModelOptions {
  readonly hub?: HubOptions | undefined;
}

/**
 * Finds what a model reference stands for, in this order: `pocket`; a folder or a `.gguf` file; a model of the Hugging Face hub,
 * `org/name`, `name` or either with `@revision`, which is looked up in the cache and else downloaded. What looks
 * like a path is never asked of the hub.
 * @throws SepError `model-not-found`, and those of the hub; see `pullRepository` and `fetchModel`
 */
export async function* locateCheckpoint(
  reference: string,
  { hub, choice, signal }: LocateCheckpointOptions = {},
): AsyncGenerator<PullEvent, CheckpointLocation> {
  const local = await locateLocally(reference);
  if (local !== null) return local;
  const id = parseHubModelId(reference);
  if (id === null) throw unknownReference(reference);
  const { folder, commit } = yield* fetchModel(await openHub(hub), id, { choice, signal });
  return { path: folder, commit };
}

/**
 * The part of {@link locateCheckpoint} that needs neither cache nor hub.
 * @returns null if the reference can only be a model on the hub
 * @throws SepError `model-not-found` for a path that leads nowhere
 */
export async function locateLocally(reference: string): Promise<CheckpointLocation | null> {
  if (reference === POCKET_MODEL) {
    return { path: POCKET_FOLDER, commit: null };
  }
  const found = await stat(reference).catch((error: NodeJS.ErrnoException) => {
    if (["ENOENT", "ENOTDIR", "ENAMETOOLONG", "EINVAL"].includes(error.code ?? "")) return null;
    throw error;
  });
  if (found?.isDirectory() || (found?.isFile() && isGgufPath(reference))) {
    return { path: reference, commit: null };
  }
  if (found !== null) throw unknownReference(reference, "which is a file");
  if (looksLikePath(reference)) throw unknownReference(reference, "where there is nothing");
  return null;
}

/** Whether a path is named as GGUF files are. */
export const isGgufPath = (path: string): boolean => path.toLowerCase().endsWith(".gguf");

/** `.`, `/`, `~` at the beginning, a drive, a backslash or a file's ending: no model of the hub has such a name. */
export const looksLikePath = (reference: string): boolean =>
  /^[./~]|^[A-Za-z]:|\\/.test(reference) || isGgufPath(reference);

/** The error for a reference that is nothing that is known. */
export const unknownReference = (reference: string, problem = "which is none of these"): SepError =>
  new SepError(
    "model-not-found",
    `Got the model "${reference}", ${problem}. Expected "${POCKET_MODEL}" (the embedded model), a folder with config.json, tokenizer.json and model.safetensors, a .gguf file, or a model on the Hugging Face Hub as "org/name" or "org/name@revision".`,
  );

/**
 * Downloads the newest commit of a model of the Hugging Face hub into the cache that Python's libraries use.
 * @param reference `org/name` or `org/name@revision`
 * @returns where it is
 * @throws SepError `model-not-found` for anything else, `model-not-cached` if the environment forbids
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
      `Got "${reference}", expected a model on the Hub as "org/name" or "org/name@revision".`,
    );
  }
  const hub = await openHub(options);
  if (hub.settings.offline) {
    throw new SepError(
      "model-not-cached",
      "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids asking the Hub. Unset it to pull a model.",
    );
  }
  const { folder, commit } = yield* pullRepository(hub, id, { choice, signal });
  return { path: folder, commit };
}
