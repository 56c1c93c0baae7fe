import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import { POCKET_MODEL } from "../../checkpoint/locate-checkpoint.ts";
import { type OpeningEvent, reportServer } from "../../checkpoint/opening-event.ts";
import { resolveLayers } from "../../engine/resolve-layers.ts";
import { parseServerAddresses, type ServerAddress } from "../../net/server-address.ts";
import { createServerPool, type ServerPool } from "../../net/server-pool.ts";
import type { AnswerBackend } from "../../samples/answer-backend.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import type { Backend, OpenBackendOptions } from "../backend.ts";
import { createDisposables, type Disposables } from "../disposables.ts";
import type { LiveBackend } from "../live-model.ts";
import { openProfile } from "../open-profile.ts";
import type { AnswerApi } from "./answer-protocol.ts";
import { type LaunchedServer, launchServer } from "./launch-server.ts";
import { buildServeArguments, type ServeOptions, type ServePurpose } from "./serve-command.ts";
import { findServedModel, type ServedModel } from "./served-model.ts";
import { statesFolder } from "./states-file.ts";
import { createVllmAnswers, describeVllmAnswers } from "./vllm-answers.ts";
import { openVllmLive } from "./vllm-live.ts";
import { createVllmPooledStates, describeVllmPooledStates } from "./vllm-pooled-states.ts";
import { createVllmStates, describeVllmStates } from "./vllm-states.ts";

/** Which vLLM servers, or how to start one. */
export interface VllmChoice {
  /**
   * What the servers are for: answers alone, or answers with the residual stream of every layer, or the last layer alone,
   * after its norm; `states` by default.
   */
  readonly purpose?: ServePurpose["kind"] | undefined;
  /** Addresses separated by commas; without any, a server is started here and stopped afterwards. */
  readonly urls?: string | undefined;
  /** The model's name on the servers, if that differs from its own name. */
  readonly servedName?: string | undefined;
  readonly api?: AnswerApi | undefined;
  /** Questions sent to each server in parallel. */
  readonly concurrency?: number | undefined;
  /** Bound on one request. */
  readonly limitMs?: number | undefined;
  /** Of a server that is started here. */
  readonly serve?:
    | Omit<ServeOptions, "model" | "revision" | "servedName" | "host" | "port" | "purpose">
    | undefined;
}

/**
 * Answers and hidden states from vLLM: from the given servers, or from one that is started when a part is first used.
 * @param reference as for `locateCheckpoint`; config and tokenizer are read here, the weights are not
 * @throws SepError as `locateCheckpoint` and `loadModelProfile` do; from the parts, `server-mismatch`,
 *   `server-unreachable`, `server-refused`, `launch-failed`
 */
export async function* openVllm(
  reference: string,
  choice: VllmChoice,
  options: OpenBackendOptions,
): AsyncGenerator<OpeningEvent, Backend> {
  const { purpose = "states", urls, api, concurrency } = choice;
  if (urls !== undefined) parseServerAddresses(urls, "--vllm-url"); // a slip should show at once
  const { model, path } = yield* openProfile(reference, options);
  const layers = purpose === "states" ? resolveLayers(model.config, options.layers ?? "all") : [];
  const server = createOnDemand((parts) => connect({ path, model, choice, options, purpose, layers }, parts));
  /** The same part, with servers that are there. */
  const open = async function* () {
    return { model, ...(yield* server.start()), concurrency };
  };
  const answers: AnswerBackend = {
    ...describeVllmAnswers(model, { api, layers }),
    async *openSampler(prompts, sampling) {
      return yield* createVllmAnswers({ ...(yield* open()), api, layers }).openSampler(prompts, sampling);
    },
  };
  const states: StateBackend = {
    ...(purpose === "pooling" ? describeVllmPooledStates(model) : describeVllmStates(model, layers)),
    async *openReader(questions) {
      const connected = yield* open();
      const backend =
        purpose === "pooling"
          ? createVllmPooledStates(connected)
          : createVllmStates({ ...connected, layers });
      return yield* backend.openReader(questions);
    },
  };
  const live: LiveBackend = {
    model,
    normState: states.normState,
    source: states.metadata,
    async *openLive() {
      return yield* openVllmLive({ ...(yield* open()), layers });
    },
  };
  return {
    name: "vllm",
    ...(purpose === "pooling" ? {} : { answers }),
    ...(purpose === "answers" ? {} : { states }),
    ...(purpose === "states" ? { live } : {}),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A resource that starts at its first use. */
interface OnDemand<Part> extends AsyncDisposable {
  start(): AsyncGenerator<OpeningEvent, Part>;
}

function createOnDemand<Part>(
  open: (parts: Disposables) => AsyncGenerator<OpeningEvent, Part>,
): OnDemand<Part> {
  const parts = createDisposables();
  let ready: Part | null = null;
  return {
    async *start() {
      try {
        ready ??= yield* open(parts);
        return ready;
      } finally {
        if (ready === null) await parts[Symbol.asyncDispose]();
      }
    },
    async [Symbol.asyncDispose]() {
      ready = null;
      await parts[Symbol.asyncDispose]();
    },
  };
}

interface Opened {
  readonly model: ModelProfile;
  readonly path: string;
  readonly choice: VllmChoice;
  readonly options: OpenBackendOptions;
  readonly purpose: ServePurpose["kind"];
  readonly layers: readonly number[];
}

/** Finds the model on the servers that are named, or starts one. */
async function* connect(
  opened: Opened,
  parts: Disposables,
): AsyncGenerator<OpeningEvent, { readonly pool: ServerPool; readonly served: ServedModel }> {
  const { model, choice, options } = opened;
  const { hub, signal } = options;
  const servers: readonly ServerAddress[] =
    choice.urls === undefined
      ? [parts.use(yield* launch(opened, parts)).address]
      : parseServerAddresses(choice.urls, "--vllm-url");
  const apiKey = (hub?.env ?? process.env).VLLM_API_KEY || undefined;
  const pool = parts.use(createServerPool(servers, { apiKey, limitMs: choice.limitMs, sleep: hub?.sleep }));
  const { servedName } = choice;
  return { pool, served: await findServedModel(pool, model.provenance.id, { servedName, signal }) };
}

async function* launch(
  { path, model, choice, purpose, layers, options: { root, hub, signal } }: Opened,
  parts: Disposables,
): AsyncGenerator<OpeningEvent, LaunchedServer> {
  const { id, revision } = model.provenance;
  return yield* reportServer(
    launchServer({
      program: "vllm",
      args: buildServeArguments({
        ...choice.serve,
        ...servedModelOf(id, revision, path),
        servedName: choice.servedName ?? plainName(id),
        purpose:
          purpose === "states"
            ? { kind: purpose, layers, folder: await makeFolder(parts) }
            : { kind: purpose },
      }),
      env: hub?.env ?? process.env,
      logPath: join(root, "artifacts", `vllm-${purpose}.log`),
      signal,
    }),
  );
}

/** vLLM downloads models of the hub by itself, at the commit of the tokenizer that is used here. */
export const servedModelOf = (
  id: string,
  commit: string | null,
  path: string,
): { readonly model: string; readonly revision: string | null } =>
  commit === null ? { model: path, revision: null } : { model: plainName(id), revision: commit };

/** "org/name@revision" -> "org/name" */
export const plainName = (id: string): string => (id === POCKET_MODEL ? id : id.replace(/@[^@/]*$/, ""));

/** In memory if the system has a folder for that, since the files are short-lived. */
async function makeFolder(parts: Disposables): Promise<string> {
  const folder = await mkdtemp(join(await statesFolder(), "sep-states-"));
  parts.defer(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
