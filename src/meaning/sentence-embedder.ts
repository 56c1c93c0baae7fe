import type { LoadEncoderOptions } from "../checkpoint/encoders/load-encoder.ts";
import { loadTextEmbedder } from "../checkpoint/encoders/load-text-embedder.ts";
import type { TextEmbedder } from "./embedder.ts";

export const DEFAULT_EMBEDDING_MODEL = "sentence-transformers/all-MiniLM-L6-v2";

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
