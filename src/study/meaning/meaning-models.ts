import { openTei } from "../../backends/tei/open-tei.ts";
import { openModel } from "../../backends/local/open-model.ts";
import { reportPull } from "../../checkpoint/opening-event.ts";
import type { LoadEncoderOptions } from "../../checkpoint/encoders/load-encoder.ts";
import { loadTextClassifier } from "../../checkpoint/encoders/load-text-classifier.ts";
import { loadTextEmbedder } from "../../checkpoint/encoders/load-text-embedder.ts";
import { locateEncoder } from "../../checkpoint/encoders/locate-encoder.ts";
import type { HubOptions } from "../../checkpoint/hub/hub.ts";
import type { TextEmbedder } from "../../meaning/cosine-equivalence.ts";
import { createClassifierEntailer, type Entailer, type NliLabel } from "../../meaning/entailer.ts";
import type { JudgeModel } from "../../meaning/judge-model.ts";
import { createLocalJudge } from "../../meaning/local-judge.ts";
import type { StepEvent } from "../step.ts";
import { createCachedEntailer, createCachedJudge } from "./disk-caches.ts";
import type { EntailerChoice } from "./meaning-choice.ts";
import { openOpenai } from "../../backends/openai/open-openai.ts";

/** Opens the models that grouping by meaning may need, each at its first use; downloads yield events. */
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
  /** The least cosine of two answers with the same meaning, where the user gives none. */
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

interface OpenEncoderOptions {
  readonly hub?: HubOptions | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An NLI model whose verdicts are kept on disk; it is downloaded first if it has to be. */
async function* openEntailer(
  { nliModel = DEFAULT_NLI_MODEL, nliDtype: dtype, nliUrl }: EntailerChoice,
  { hub, threads, signal }: OpenEncoderOptions = {},
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
  { hub, threads, signal }: OpenEncoderOptions = {},
): AsyncGenerator<StepEvent, OpenEmbedder> {
  const pull = locateEncoder(reference, { use: "embed", hub, signal });
  const { path, commit } = yield* reportPull(reference, pull);
  const embedder = await createSentenceEmbedder(path, { threads, name: { id: reference, revision: commit } });
  return { embedder, defaultThreshold: COSINE_THRESHOLD };
}

/** Small enough for a CPU, and among the best of its size on NLI. */
export const DEFAULT_NLI_MODEL = "cross-encoder/nli-deberta-v3-small";

/** Short names that other programs use. */
const ALIASES: Readonly<Record<string, string>> = { "deberta-v3-small-mnli": DEFAULT_NLI_MODEL };

/** The model that a reference means: the one behind a short name, or the reference itself. */
export const resolveNliModel = (reference: string): string => ALIASES[reference] ?? reference;

export interface NliEntailerOptions extends LoadEncoderOptions {
  /** What each logit stands for, where the model's config does not name its labels. */
  readonly labels?: readonly NliLabel[] | undefined;
}

/**
 * Loads an NLI model, and tests it with two known pairs.
 * @param reference a folder, a model of the hub, or a short name
 * @throws SepError `bad-nli-model` if its labels cannot be read or it judges the known pairs wrongly, and as
 *   `loadTextClassifier`
 */
export async function createNliEntailer(
  reference: string = DEFAULT_NLI_MODEL,
  { labels, ...options }: NliEntailerOptions = {},
): Promise<Entailer> {
  const classifier = await loadTextClassifier(resolveNliModel(reference), options);
  try {
    return await createClassifierEntailer(classifier, { labels });
  } catch (error) {
    await classifier[Symbol.asyncDispose]();
    throw error;
  }
}

const DEFAULT_EMBEDDING_MODEL = "sentence-transformers/all-MiniLM-L6-v2";

/**
 * Cosine of two answers, without their question, from which on they count as the same, for the default model. Measured
 * by `npm run bench:cosine-threshold`; see docs/nli.md.
 */
export const COSINE_THRESHOLD = 0.65;

/**
 * Loads a sentence embedder.
 * @param reference a folder, or a model of the hub
 * @throws SepError as `loadTextEmbedder`
 */
export async function createSentenceEmbedder(
  reference: string = DEFAULT_EMBEDDING_MODEL,
  options: LoadEncoderOptions = {},
): Promise<TextEmbedder> {
  const model = await loadTextEmbedder(reference, options);
  return {
    name: model.provenance.id,
    provenance: { ...model.provenance },
    embed: (texts, options) => model.embed(texts, options),
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}
