import type { EncoderProvenance } from "../../engine/encoders/encoder.ts";
import { type Pooling, poolTokens } from "../../engine/encoders/pool-tokens.ts";
import { type LoadEncoderOptions, loadEncoder } from "./load-encoder.ts";
import { readSentenceSettings } from "./read-sentence-settings.ts";

/** A text as a direction: texts with similar meanings have similar ones. */
export interface TextEmbedding {
  /** [D], of length 1 */
  readonly vector: Float32Array;
  /** The text was longer than the model takes, and its end was cut off. */
  readonly truncated: boolean;
}

/** A model that turns texts into vectors, those of texts with similar meanings near each other. */
export interface EmbeddingModel extends AsyncDisposable {
  readonly provenance: EncoderProvenance & { readonly pooling: Pooling };
  /**
   * @param texts [N]; equal ones are computed once
   * @returns [N]
   */
  embed(
    texts: readonly string[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly TextEmbedding[]>;
}

/**
 * Loads a sentence embedder in the format of sentence-transformers: safetensors weights of a known architecture, or an
 * export to ONNX.
 * @throws SepError as `loadEncoder` and `readSentenceSettings`
 */
export async function loadTextEmbedder(
  reference: string,
  options: LoadEncoderOptions = {},
): Promise<EmbeddingModel> {
  const { encoder, plan } = await loadEncoder(
    reference,
    { ...options, use: "embed" },
    async (_config, folder) => ({ ...(await readSentenceSettings(folder)), labelCount: null }),
  );
  const { pooling } = plan;
  return {
    provenance: { ...encoder.provenance, pooling },
    embed: (texts, { signal } = {}) =>
      encoder.run(
        texts,
        (output, row, { tokenIds, truncated }) => ({
          vector: poolTokens(output, row, tokenIds.length, pooling),
          truncated,
        }),
        { signal },
      ),
    [Symbol.asyncDispose]: () => encoder[Symbol.asyncDispose](),
  };
}
