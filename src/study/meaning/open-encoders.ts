import { reportPull } from "../../backends/local/open-model.ts";
import { createTeiEntailer } from "../../backends/tei/tei-entailer.ts";
import { locateEncoder } from "../../checkpoint/encoders/locate-encoder.ts";
import type { HubOptions } from "../../checkpoint/hub/hub.ts";
import { createCachedEntailer } from "../../meaning/cached-entailer.ts";
import type { Entailer } from "../../meaning/entailer.ts";
import { createNliEntailer, DEFAULT_NLI_MODEL, resolveNliModel } from "../../meaning/nli-entailer.ts";
import {
  COSINE_THRESHOLD,
  createSentenceEmbedder,
  DEFAULT_EMBEDDING_MODEL,
} from "../../meaning/sentence-embedder.ts";
import { parseServerAddress } from "../../net/server-address.ts";
import { createServerPool } from "../../net/server-pool.ts";
import type { StepEvent } from "../step.ts";
import type { EntailerChoice } from "./meaning-choice.ts";
import type { OpenEmbedder } from "./meaning-models.ts";

export interface OpenEncoderOptions {
  readonly hub?: HubOptions | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A model of inference whose verdicts are kept on disk; it is downloaded first if it has to be.
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
