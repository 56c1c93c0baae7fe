import type { TextEmbedding } from "../checkpoint/encoders/load-text-embedder.ts";
import type { Json } from "../formats/json.ts";
import type { Equivalence } from "./equivalence.ts";

/** Turns texts into vectors whose cosine measures how close their meanings are. */
export interface TextEmbedder extends AsyncDisposable {
  /** The model's name as the user gave it. */
  readonly name: string;
  /** Everything that determines its vectors, for the provenance of artifacts. */
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

export interface CosineEquivalenceOptions {
  /** Minimum cosine, in [-1, 1]; specific to the model, not a probability. */
  readonly threshold: number;
}

/**
 * The same meaning where sentence vectors are alike. The answers alone are embedded: with the question in front, all
 * answers to it would be alike. Each text is embedded once, however many pairs it is in.
 */
export function createCosineEquivalence(
  embedder: TextEmbedder,
  { threshold }: CosineEquivalenceOptions,
): Equivalence {
  return {
    name: "cosine",
    provenance: { name: "cosine", version: 1, threshold, model: embedder.provenance },
    async compare(pairs, options) {
      const texts = [...new Set(pairs.flatMap(({ first, second }) => [first, second]))];
      const embeddings = await embedder.embed(texts, options);
      const byText = new Map(texts.map((text, i) => [text, embeddings[i]!]));
      return pairs.map(({ first, second }) => {
        const [a, b] = [byText.get(first)!, byText.get(second)!];
        const similarity = cosine(a.vector, b.vector);
        const truncated = a.truncated || b.truncated;
        return { same: similarity >= threshold, rule: "cosine", similarity, truncated };
      });
    },
  };
}

/** Of vectors of length 1. @returns in [-1, 1] */
export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return Math.min(1, Math.max(-1, sum)); // float32 lengths are 1 within rounding
}
