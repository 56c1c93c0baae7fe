import type { TextEmbedding } from "../checkpoint/encoders/load-text-embedder.ts";
import type { Json } from "../formats/json.ts";

/** Turns texts into vectors whose cosine tells how near their meanings are. */
export interface TextEmbedder extends AsyncDisposable {
  /** As the user named the model. */
  readonly name: string;
  /** Everything that decides its vectors, for the artefacts that they shape. */
  readonly provenance: Json;
  /**
   * @param texts [N]; equal ones are computed once
   * @returns [N]
   */
  embed(
    texts: readonly string[],
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly TextEmbedding[]>;
}
