import { openOpenai } from "../../backends/openai/open-openai.ts";
import { openTei } from "../../backends/tei/open-tei.ts";
import { locateEncoder } from "../../checkpoint/encoders/load-encoder.ts";
import type { HubOptions } from "../../checkpoint/hub/hub.ts";
import { openModel } from "../../checkpoint/load-model.ts";
import { reportPull } from "../../checkpoint/opening-event.ts";
import type { TextEmbedder } from "../../meaning/cosine-equivalence.ts";
import type { Entailer } from "../../meaning/entailer.ts";
import type { JudgeModel } from "../../meaning/judge-model.ts";
import { createLocalJudge } from "../../meaning/local-judge.ts";
import type { MEANING } from "../settings/meaning.ts";
import type { SettingsInput } from "../settings/setting.ts";
import type { StepEvent } from "../step.ts";
import { createCachedEntailer, createCachedJudge } from "./disk-caches.ts";
import {
  COSINE_THRESHOLD,
  createNliEntailer,
  createSentenceEmbedder,
  DEFAULT_EMBEDDING_MODEL,
  DEFAULT_NLI_MODEL,
  resolveNliModel,
} from "./encoder-models.ts";

/** Which NLI model. */
export type EntailerChoice = Pick<SettingsInput<typeof MEANING>, "nliModel" | "nliDtype" | "nliUrl">;

/** Opens the models that clustering by meaning may need, each at its first use; downloads yield events. */
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
  /** The smallest cosine of two answers with the same meaning, if the user gives none. */
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

/** Models of the Hugging Face hub, a directory, or a server. */
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
      const { judge } = yield* openOpenai(url, reference, { hub });
      return { judge: await createCachedJudge(judge), [Symbol.asyncDispose]: async () => undefined };
    },
  };
}

interface OpenModelsOptions {
  readonly hub?: HubOptions | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An NLI model whose verdicts are kept on disk; it is downloaded first if it has to be. */
async function* openEntailer(
  { nliModel = DEFAULT_NLI_MODEL, nliDtype: dtype, nliUrl }: EntailerChoice,
  { hub, threads, signal }: OpenModelsOptions = {},
): AsyncGenerator<StepEvent, Entailer> {
  if (nliUrl !== undefined) return keepVerdicts((yield* openTei(nliUrl, { hub, signal })).entail);
  const id = resolveNliModel(nliModel);
  const { path, commit } = yield* reportPull(id, locateEncoder(id, { use: "classify", dtype, hub, signal }));
  return keepVerdicts(await createNliEntailer(path, { threads, dtype, name: { id, revision: commit } }));
}

async function keepVerdicts(entailer: Entailer): Promise<Entailer> {
  try {
    return await createCachedEntailer(entailer);
  } catch (error) {
    await entailer[Symbol.asyncDispose]();
    throw error;
  }
}

/** A sentence embedder; it is downloaded first if it has to be. */
async function* openEmbedder(
  reference: string = DEFAULT_EMBEDDING_MODEL,
  { hub, threads, signal }: OpenModelsOptions = {},
): AsyncGenerator<StepEvent, OpenEmbedder> {
  const pull = locateEncoder(reference, { use: "embed", hub, signal });
  const { path, commit } = yield* reportPull(reference, pull);
  const embedder = await createSentenceEmbedder(path, { threads, name: { id: reference, revision: commit } });
  return { embedder, defaultThreshold: COSINE_THRESHOLD };
}
