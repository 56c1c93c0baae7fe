import type { Json } from "../store/json.ts";

export interface TextEmbedding {
  /** [D] of length 1 (L2). */
  readonly vector: Float32Array;
  /** Whether the text had to be cut to the model's length. */
  readonly truncated: boolean;
}

/** A model that turns texts into vectors whose cosine says how alike they are. */
export interface TextEmbedder extends AsyncDisposable {
  /** As the user named it. */
  readonly name: string;
  /** Everything that decides its vectors: model, revision, hashes, arithmetic, pooling, longest text. */
  readonly provenance: Json;
  /** @returns [N] one embedding a text, in their order */
  embed(
    texts: readonly string[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly TextEmbedding[]>;
}
