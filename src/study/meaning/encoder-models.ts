import type { LoadEncoderOptions } from "../../checkpoint/encoders/load-encoder.ts";
import { loadTextClassifier } from "../../checkpoint/encoders/load-text-classifier.ts";
import { loadTextEmbedder } from "../../checkpoint/encoders/load-text-embedder.ts";
import type { TextEmbedder } from "../../meaning/cosine-equivalence.ts";
import { createClassifierEntailer, type Entailer, type NliLabel } from "../../meaning/entailer.ts";

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
 * @param reference a folder, a model on the hub, or a short name
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

export const DEFAULT_EMBEDDING_MODEL = "sentence-transformers/all-MiniLM-L6-v2";

/**
 * Cosine of two answers, without their question, from which on they count as the same, for the default model. Measured
 * by `npm run bench:cosine-threshold`; see docs/nli.md.
 */
export const COSINE_THRESHOLD = 0.65;

/**
 * Loads a sentence embedder.
 * @param reference a folder, or a model on the hub
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
