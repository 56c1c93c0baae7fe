import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { locateCheckpoint, POCKET_MODEL } from "../models/checkpoint/locate-checkpoint.ts";
import type { HubOptions } from "../models/hub/hub.ts";
import type { LayerName } from "../models/layer-names.ts";
import { loadModelProfile, PROFILE_FILES } from "../models/load-model-profile.ts";
import type { ModelProfile } from "../models/model-profile.ts";
import { resolveLayers } from "../models/resolve-layers.ts";
import type { AnswerBackend } from "../sampling/answer-backend.ts";
import { createVllmAnswers } from "../sampling/vllm/vllm-answers.ts";
import { findServedModel, type ServedModel } from "../servers/find-served-model.ts";
import { launchServer } from "../servers/launch-server.ts";
import { buildServeArguments, type ServePurpose } from "../servers/serve-command.ts";
import { parseServerAddresses, type ServerAddress } from "../servers/server-address.ts";
import { createServerPool, type ServerPool } from "../servers/server-pool.ts";
import type { StateBackend } from "../tracing/state-backend.ts";
import { createVllmPooledStates } from "../tracing/vllm/vllm-pooled-states.ts";
import { createVllmStates } from "../tracing/vllm/vllm-states.ts";
import { createDisposables, type Disposables } from "./disposables.ts";
import type { OpenBackend } from "./open-backend.ts";
import { reportPull } from "./open-model.ts";
import { statesFolder } from "./states-folder.ts";
import type { StepEvent } from "./step.ts";
import type { VllmChoice } from "./vllm-choice.ts";

export interface OpenVllmOptions {
  /** Folder of the study, for the logs of servers that are started. */
  readonly root: string;
  readonly hub?: HubOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Answers from vLLM: the servers that the choice names, or one that is started here.
 * @param reference as for `locateCheckpoint`; config and tokenizer are read here, the weights are not
 * @throws SepError `server-mismatch`, `server-unreachable`, `server-refused`, `launch-failed`, and as
 *   `locateCheckpoint` and `loadModelProfile` do
 */
export async function* openVllmAnswers(
  reference: string,
  choice: VllmChoice,
  options: OpenVllmOptions,
): AsyncGenerator<StepEvent, OpenBackend<AnswerBackend>> {
  const { model, path } = yield* openProfile(reference, options);
  return yield* holdParts(async function* (parts) {
    const own = { path, model, choice, options, parts };
    const servers = yield* findServers(choice.urls, { kind: "answers" }, own);
    const { api, concurrency } = choice;
    return createVllmAnswers({ model, ...(await connect(servers, own)), api, concurrency });
  });
}

/**
 * Hidden states from vLLM.
 * @param layers what the servers extract; a server that is started here is told so
 * @throws SepError as {@link openVllmAnswers}
 */
export async function* openVllmStates(
  reference: string,
  layers: "all" | readonly LayerName[],
  choice: VllmChoice,
  options: OpenVllmOptions,
): AsyncGenerator<StepEvent, OpenBackend<StateBackend>> {
  const { model, path } = yield* openProfile(reference, options);
  const extracted = resolveLayers(model.config, layers);
  return yield* holdParts(async function* (parts) {
    const own = { path, model, choice, options, parts };
    const urls = choice.statesUrls ?? choice.urls;
    const purpose: ServePurpose =
      choice.stateRoute === "pooling"
        ? { kind: "pooling" }
        : { kind: "states", layers: extracted, folder: urls === undefined ? await makeFolder(parts) : "" };
    const servers = yield* findServers(urls, purpose, own);
    const connected = { model, ...(await connect(servers, own)), concurrency: choice.concurrency };
    return purpose.kind === "pooling"
      ? createVllmPooledStates(connected)
      : createVllmStates({ ...connected, layers: extracted });
  });
}

/** Opens something of several parts, which are ended if it fails or is not waited for. */
async function* holdParts<Backend>(
  openIt: (parts: Disposables) => AsyncGenerator<StepEvent, Backend>,
): AsyncGenerator<StepEvent, OpenBackend<Backend>> {
  const parts = createDisposables();
  let isOpen = false;
  try {
    const backend = yield* openIt(parts);
    isOpen = true;
    return { backend, [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() };
  } finally {
    if (!isOpen) await parts[Symbol.asyncDispose]();
  }
}

/** What is known of a model without its weights; its small files are downloaded if they have to be. */
export async function* openProfile(
  reference: string,
  { hub, signal }: Pick<OpenVllmOptions, "hub" | "signal">,
): AsyncGenerator<StepEvent, { readonly model: ModelProfile; readonly path: string }> {
  const pull = locateCheckpoint(reference, { choice: PROFILE_FILES, hub, signal });
  const { path, commit } = yield* reportPull(reference, pull);
  return { model: await loadModelProfile(path, { id: reference, revision: commit }), path };
}

interface Parts {
  readonly model: ModelProfile;
  readonly choice: VllmChoice;
  readonly options: OpenVllmOptions;
  /** Ended in reverse when the backend is. */
  readonly parts: Disposables;
}

async function* findServers(
  urls: string | undefined,
  purpose: ServePurpose,
  { path, model, choice, options: { root, hub, signal }, parts }: Parts & { readonly path: string },
): AsyncGenerator<StepEvent, readonly ServerAddress[]> {
  if (urls !== undefined) return parseServerAddresses(urls, "--vllm-url");
  const { id, revision } = model.provenance;
  const launching = launchServer({
    program: "vllm",
    args: buildServeArguments({
      ...choice.serve,
      ...servedModelOf(id, revision, path),
      servedName: choice.servedName ?? plainName(id),
      purpose,
    }),
    env: hub?.env ?? process.env,
    logPath: join(root, "artifacts", `vllm-${purpose.kind}.log`),
    signal,
  });
  try {
    for (;;) {
      const next = await launching.next();
      if (next.done) {
        parts.use(next.value);
        return [next.value.address];
      }
      yield { kind: "note", step: "server", part: "", message: next.value };
    }
  } finally {
    await launching.return(undefined as never);
  }
}

/** vLLM downloads for itself what is of the hub, at the commit that the tokenizer here is of. */
export const servedModelOf = (
  id: string,
  commit: string | null,
  path: string,
): { readonly model: string; readonly revision: string | null } =>
  commit === null ? { model: path, revision: null } : { model: plainName(id), revision: commit };

/** "org/name@revision" -> "org/name" */
export const plainName = (id: string): string => (id === POCKET_MODEL ? id : id.replace(/@[^@/]*$/, ""));

async function connect(
  servers: readonly ServerAddress[],
  { model, choice, options, parts }: Parts,
): Promise<{ readonly pool: ServerPool; readonly served: ServedModel }> {
  const { limitMs, servedName } = choice;
  const { hub, signal } = options;
  const apiKey = (hub?.env ?? process.env).VLLM_API_KEY || undefined;
  const pool = parts.use(createServerPool(servers, { apiKey, limitMs, sleep: hub?.sleep }));
  const served = await findServedModel(pool, model.provenance.id, { servedName, signal });
  return { pool, served };
}

/** In memory where the system has a folder for that: the files live for a moment. */
async function makeFolder(parts: Disposables): Promise<string> {
  const folder = await mkdtemp(join(await statesFolder(), "sep-states-"));
  parts.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
