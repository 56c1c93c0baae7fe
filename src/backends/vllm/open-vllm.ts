import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ModelProfile } from "../../checkpoint/load-model-profile.ts";
import { POCKET_MODEL } from "../../checkpoint/locate-checkpoint.ts";
import { type OpeningEvent, reportServer } from "../../checkpoint/opening-event.ts";
import { resolveLayers } from "../../engine/resolve-layers.ts";
import { parseServerAddresses, type ServerAddress } from "../../net/server-address.ts";
import { createServerPool, type ServerPool } from "../../net/server-pool.ts";
import type { BackendWith, OpenBackendOptions } from "../backend.ts";
import { createDisposables, type Disposables } from "../disposables.ts";
import { openProfile } from "../open-profile.ts";
import type { AnswerApi } from "./answer-protocol.ts";
import { type LaunchedServer, launchServer } from "./launch-server.ts";
import { buildServeArguments, type ServeOptions, type ServePurpose } from "./serve-command.ts";
import { findServedModel, type ServedModel } from "./served-model.ts";
import { statesFolder } from "./states-file.ts";
import { createVllmAnswers, describeVllmAnswers } from "./vllm-answers.ts";
import { createVllmPooledStates, describeVllmPooledStates } from "./vllm-pooled-states.ts";
import { createVllmStates, describeVllmStates } from "./vllm-states.ts";

/** How states come out of a vLLM server: the residual stream of every layer, or the last layer after its norm. */
export const STATE_ROUTES = ["extract", "pooling"] as const;
export type StateRoute = (typeof STATE_ROUTES)[number];

/** Which vLLM servers, or how to start one. */
export interface VllmChoice {
  /** Addresses separated by commas; without any, a server is started here and stopped afterwards. */
  readonly urls?: string | undefined;
  /** The same for hidden states, which need a server that was started for them; `urls` by default. */
  readonly statesUrls?: string | undefined;
  /** The model's name on the servers, if that differs from its own name. */
  readonly servedName?: string | undefined;
  readonly api?: AnswerApi | undefined;
  readonly stateRoute?: StateRoute | undefined;
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
 * Answers and hidden states from vLLM: from the given servers, or from one for each purpose that is started
 * when it is first used. Dispose of `answers` before using `states` if both would share a GPU.
 * @param reference as for `locateCheckpoint`; config and tokenizer are read here, the weights are not
 * @throws SepError as `locateCheckpoint` and `loadModelProfile` do; from the parts, `server-mismatch`,
 *   `server-unreachable`, `server-refused`, `launch-failed`
 */
export async function* openVllm(
  reference: string,
  choice: VllmChoice,
  options: OpenBackendOptions,
): AsyncGenerator<OpeningEvent, BackendWith<"answers" | "states">> {
  const { urls, statesUrls = urls, api, concurrency, stateRoute } = choice;
  // a slip should show at once
  for (const each of [urls, statesUrls]) if (each !== undefined) parseServerAddresses(each, "--vllm-url");
  const { model, path } = yield* openProfile(reference, options);
  const layers = resolveLayers(model.config, options.layers ?? "all");
  const isPooling = stateRoute === "pooling";
  const own = { path, model, choice, options };

  const answers = createOnDemand(async function* (parts) {
    const connected = yield* connect(urls, { kind: "answers" }, own, parts);
    return createVllmAnswers({ model, ...connected, api, concurrency });
  });
  const states = createOnDemand(async function* (parts) {
    const folder = statesUrls === undefined && !isPooling ? await makeFolder(parts) : "";
    const purpose: ServePurpose = isPooling ? { kind: "pooling" } : { kind: "states", layers, folder };
    const connected = { model, ...(yield* connect(statesUrls, purpose, own, parts)), concurrency };
    return isPooling ? createVllmPooledStates(connected) : createVllmStates({ ...connected, layers });
  });
  return {
    name: "vllm",
    answers: {
      ...describeVllmAnswers(model, api),
      async *openSampler(prompts, sampling) {
        return yield* (yield* answers.start()).openSampler(prompts, sampling);
      },
      [Symbol.asyncDispose]: () => answers[Symbol.asyncDispose](),
    },
    states: {
      ...(isPooling ? describeVllmPooledStates(model) : describeVllmStates(model, layers)),
      async *openReader(questions) {
        return yield* (yield* states.start()).openReader(questions);
      },
      [Symbol.asyncDispose]: () => states[Symbol.asyncDispose](),
    },
    async [Symbol.asyncDispose]() {
      await using _answers = answers;
      await using _states = states;
    },
  };
}

/** A resource that starts at its first use, stays, and may be ended and started again. */
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
}

/** Finds the model on the servers that are named, or starts one. */
async function* connect(
  urls: string | undefined,
  purpose: ServePurpose,
  opened: Opened,
  parts: Disposables,
): AsyncGenerator<OpeningEvent, { readonly pool: ServerPool; readonly served: ServedModel }> {
  const { model, choice, options } = opened;
  const { hub, signal } = options;
  const servers: readonly ServerAddress[] =
    urls === undefined
      ? [parts.use(yield* launch(purpose, opened)).address]
      : parseServerAddresses(urls, "--vllm-url");
  const apiKey = (hub?.env ?? process.env).VLLM_API_KEY || undefined;
  const pool = parts.use(createServerPool(servers, { apiKey, limitMs: choice.limitMs, sleep: hub?.sleep }));
  const { servedName } = choice;
  return { pool, served: await findServedModel(pool, model.provenance.id, { servedName, signal }) };
}

const launch = (
  purpose: ServePurpose,
  { path, model, choice, options: { root, hub, signal } }: Opened,
): AsyncGenerator<OpeningEvent, LaunchedServer> => {
  const { id, revision } = model.provenance;
  return reportServer(
    launchServer({
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
    }),
  );
};

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
