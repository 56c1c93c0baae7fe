import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { HubOptions } from "../../checkpoint/hub/hub.ts";
import { loadModelProfile, PROFILE_FILES } from "../../checkpoint/load-model-profile.ts";
import { locateCheckpoint, POCKET_MODEL } from "../../checkpoint/locate-checkpoint.ts";
import type { ModelProfile } from "../../checkpoint/model-profile.ts";
import type { LayerName } from "../../engine/layer-names.ts";
import { resolveLayers } from "../../engine/resolve-layers.ts";
import { parseServerAddresses, type ServerAddress } from "../../net/server-address.ts";
import { createServerPool, type ServerPool } from "../../net/server-pool.ts";
import type { AnswerBackend } from "../../samples/answer-backend.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import type { StepEvent } from "../../study/step.ts";
import { createDisposables, type Disposables } from "../local/disposables.ts";
import { reportPull } from "../local/open-model.ts";
import type { OpenBackend } from "../open-backend.ts";
import { statesFolder } from "../states-folder.ts";
import { findServedModel, type ServedModel } from "./find-served-model.ts";
import { launchServer } from "./launch-server.ts";
import { buildServeArguments, type ServePurpose } from "./serve-command.ts";
import { createVllmAnswers, describeVllmAnswers } from "./vllm-answers.ts";
import type { VllmChoice } from "./vllm-choice.ts";
import { createVllmPooledStates, describeVllmPooledStates } from "./vllm-pooled-states.ts";
import { createVllmStates, describeVllmStates } from "./vllm-states.ts";

export interface OpenVllmOptions {
  /** Folder of the study, for the logs of servers that are started. */
  readonly root: string;
  readonly hub?: HubOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Answers from vLLM: the servers that the choice names, or one that is started here once there is something to ask.
 * @param reference as for `locateCheckpoint`; config and tokenizer are read here, the weights are not
 * @throws SepError as `locateCheckpoint` and `loadModelProfile` do; from `prepare`, `server-mismatch`,
 *   `server-unreachable`, `server-refused`, `launch-failed`
 */
export async function* openVllmAnswers(
  reference: string,
  choice: VllmChoice,
  options: OpenVllmOptions,
): AsyncGenerator<StepEvent, OpenBackend<AnswerBackend>> {
  if (choice.urls !== undefined) parseServerAddresses(choice.urls, "--vllm-url"); // a slip should show at once
  const { model, path } = yield* openProfile(reference, options);
  const { api, concurrency } = choice;
  const parts = createDisposables();
  const own = { path, model, choice, options, parts };
  let ready: AnswerBackend | null = null;
  const backend: AnswerBackend = {
    ...describeVllmAnswers(model, api),
    async *prepare() {
      if (ready !== null) return;
      const servers = yield* findServers(choice.urls, { kind: "answers" }, own);
      ready = createVllmAnswers({ model, ...(await connect(servers, own)), api, concurrency });
    },
    check: async (prompts, signal) => ready?.check?.(prompts, signal),
    openSampler: (questions) => (ready ?? NOTHING_TO_DO).openSampler(questions),
  };
  return { backend, [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() };
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
  const urls = choice.statesUrls ?? choice.urls;
  if (urls !== undefined) parseServerAddresses(urls, "--vllm-url");
  const { model, path } = yield* openProfile(reference, options);
  const extracted = resolveLayers(model.config, layers);
  const isPooling = choice.stateRoute === "pooling";
  const parts = createDisposables();
  const own = { path, model, choice, options, parts };
  let ready: StateBackend | null = null;
  const backend: StateBackend = {
    ...(isPooling ? describeVllmPooledStates(model) : describeVllmStates(model, extracted)),
    async *prepare() {
      if (ready !== null) return;
      const folder = urls === undefined && !isPooling ? await makeFolder(parts) : "";
      const purpose: ServePurpose = isPooling
        ? { kind: "pooling" }
        : { kind: "states", layers: extracted, folder };
      const servers = yield* findServers(urls, purpose, own);
      const connected = { model, ...(await connect(servers, own)), concurrency: choice.concurrency };
      ready = isPooling
        ? createVllmPooledStates(connected)
        : createVllmStates({ ...connected, layers: extracted });
    },
    openReader: (questions) => (ready ?? NOTHING_TO_DO).openReader(questions),
  };
  return { backend, [Symbol.asyncDispose]: () => parts[Symbol.asyncDispose]() };
}

/** A step that has nothing to do opens its backend too, and never asks it. */
const NOTHING_TO_DO: Pick<AnswerBackend, "openSampler"> & Pick<StateBackend, "openReader"> = {
  openSampler: async () => ({ ...IDLE, draw: notReady }),
  openReader: async () => ({ ...IDLE, read: notReady }),
};
const IDLE = { concurrency: 1, [Symbol.asyncDispose]: async () => undefined };
async function notReady(): Promise<never> {
  throw new Error("a vLLM backend was used without `prepare`"); // a defect of the caller
}

/** What is known of a model without its weights; its small files are downloaded if they have to be. */
export async function* openProfile(
  reference: string,
  { hub, signal }: Pick<OpenVllmOptions, "hub" | "signal">,
): AsyncGenerator<StepEvent, { readonly model: ModelProfile; readonly path: string }> {
  const pull = locateCheckpoint(reference, { choice: PROFILE_FILES, hub, signal });
  const { path, commit } = yield* reportPull(reference, pull);
  return { model: await loadModelProfile(path, { id: reference, revision: commit }, { signal }), path };
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
): AsyncGenerator<string, readonly ServerAddress[]> {
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
  const server = parts.use(yield* launching);
  return [server.address];
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
