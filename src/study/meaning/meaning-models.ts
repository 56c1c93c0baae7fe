import { openModel, reportPull } from "../../backends/local/open-model.ts";
import { createServerJudge } from "../../backends/openai/server-judge.ts";
import { createTeiEntailer } from "../../backends/tei/tei-entailer.ts";
import { locateEncoder } from "../../checkpoint/encoders/locate-encoder.ts";
import { type HubOptions, sleepFor } from "../../checkpoint/hub/hub.ts";
import { createCachedEntailer } from "../../meaning/cached-entailer.ts";
import { createCachedJudge } from "../../meaning/cached-judge.ts";
import type { TextEmbedder } from "../../meaning/embedder.ts";
import type { Entailer } from "../../meaning/entailer.ts";
import type { JudgeModel } from "../../meaning/judge-model.ts";
import { createLocalJudge } from "../../meaning/local-judge.ts";
import { createNliEntailer, DEFAULT_NLI_MODEL, resolveNliModel } from "../../meaning/nli-entailer.ts";
import {
  COSINE_THRESHOLD,
  createSentenceEmbedder,
  DEFAULT_EMBEDDING_MODEL,
} from "../../meaning/sentence-embedder.ts";
import { parseServerAddress } from "../../net/server-address.ts";
import { createServerPool } from "../../net/server-pool.ts";
import type { MEANING } from "../settings/meaning.ts";
import type { SettingsInput } from "../settings/setting.ts";
import type { StepEvent } from "../step.ts";

/** Which NLI model. */
export type EntailerChoice = Pick<SettingsInput<typeof MEANING>, "nliModel" | "nliDtype" | "nliUrl">;

/** Opens the models that meaning may need, each at its first use; downloads have events of their own. */
export interface MeaningModels {
  openEntailer(choice: EntailerChoice, signal?: AbortSignal): AsyncGenerator<StepEvent, Entailer>;
  /** @param reference the default model when not given */
  openEmbedder(reference: string | undefined, signal?: AbortSignal): AsyncGenerator<StepEvent, OpenEmbedder>;
  /** @param url of a server; the local engine when not given */
  openJudge(
    reference: string,
    url: string | undefined,
    signal?: AbortSignal,
  ): AsyncGenerator<StepEvent, OpenJudge>;
}

export interface OpenEmbedder {
  readonly embedder: TextEmbedder;
  /** The cosine from which two answers of this model are the same, where the user gives none. */
  readonly defaultThreshold: number;
}

export interface OpenJudge extends AsyncDisposable {
  readonly judge: JudgeModel;
}

export interface MeaningModelsOptions {
  /** Where and how to look for models of the hub; its `env` also has OPENAI_API_KEY for a judge behind a server. */
  readonly hub?: HubOptions | undefined;
  readonly threads?: number | undefined;
}

/** The real ones: of the Hugging Face hub, a directory, or a server. */
export function createMeaningModels({ hub, threads }: MeaningModelsOptions = {}): MeaningModels {
  return {
    openEntailer: (choice, signal) => openEntailer(choice, { hub, threads, signal }),
    openEmbedder: (reference, signal) => openEmbedder(reference, { hub, threads, signal }),
    async *openJudge(reference, url, signal) {
      if (url === undefined) {
        const model = yield* openModel(reference, { hub, threads, signal });
        return {
          judge: await createCachedJudge(createLocalJudge(model)),
          [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
        };
      }
      const { env = process.env, fetch: send = fetch, sleep = sleepFor } = hub ?? {};
      const apiKey = env.OPENAI_API_KEY || undefined;
      const judge = createServerJudge({ url, model: reference, apiKey, fetch: send, sleep });
      return { judge: await createCachedJudge(judge), [Symbol.asyncDispose]: async () => undefined };
    },
  };
}

export interface OpenEncoderOptions {
  readonly hub?: HubOptions | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * An NLI model whose verdicts are kept on disk; it is downloaded first if it has to be.
 * @throws SepError as `locateEncoder`, `createNliEntailer` and `createCachedEntailer` do
 */
export async function* openEntailer(
  { nliModel = DEFAULT_NLI_MODEL, nliDtype: dtype, nliUrl }: EntailerChoice,
  { hub, threads, signal }: OpenEncoderOptions = {},
): AsyncGenerator<StepEvent, Entailer> {
  if (nliUrl !== undefined) return openServedEntailer(nliUrl, { hub, signal });
  const id = resolveNliModel(nliModel);
  const { path, commit } = yield* reportPull(id, locateEncoder(id, { use: "classify", dtype, hub, signal }));
  return keepVerdicts(await createNliEntailer(path, { threads, dtype, name: { id, revision: commit } }));
}

async function openServedEntailer(
  url: string,
  { hub, signal }: Pick<OpenEncoderOptions, "hub" | "signal">,
): Promise<Entailer> {
  const servers = [parseServerAddress(url, "--nli-url")];
  const apiKey = (hub?.env ?? process.env).TEI_API_KEY || undefined;
  const pool = createServerPool(servers, { apiKey, sleep: hub?.sleep });
  try {
    return await keepVerdicts(await createTeiEntailer(pool, signal));
  } catch (error) {
    await pool[Symbol.asyncDispose]();
    throw error;
  }
}

async function keepVerdicts(entailer: Entailer): Promise<Entailer> {
  try {
    return await createCachedEntailer(entailer);
  } catch (error) {
    await entailer[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * A sentence embedder; it is downloaded first if it has to be.
 * @param reference a folder, or a model of the hub
 * @throws SepError as `locateEncoder` and `createSentenceEmbedder` do
 */
export async function* openEmbedder(
  reference: string = DEFAULT_EMBEDDING_MODEL,
  { hub, threads, signal }: OpenEncoderOptions = {},
): AsyncGenerator<StepEvent, OpenEmbedder> {
  const pull = locateEncoder(reference, { use: "embed", hub, signal });
  const { path, commit } = yield* reportPull(reference, pull);
  const embedder = await createSentenceEmbedder(path, { threads, name: { id: reference, revision: commit } });
  return { embedder, defaultThreshold: COSINE_THRESHOLD };
}
