import { maskKinds } from "./attention-masks.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { OnnxGraph } from "./graph.ts";
import type { DecoderInputs } from "./graph-scope.ts";
import { rotaryPairs } from "./rope.ts";

/** Names of the decoder graph's inputs and outputs, shared with the session that runs it. */
export const DECODER_TENSORS = {
  tokenIds: "token_ids",
  embeddings: "embeddings",
  positionIds: "position_ids",
  rope: (index: number, half: "cos" | "sin"): string => `rope_${half}.${index}`,
  suffixMask: "suffix_mask",
  newMask: "new_mask",
  wholeMask: (kind: "full" | "sliding"): string => `${kind}_mask`,
  traceRows: "trace_rows",
  logitRows: "logit_rows",
  logits: "logits",
  finalNorm: "final_norm",
  residual: (layer: number): string => `residual.${layer}`,
  cache: (kind: "prefix" | "suffix" | "new", layer: number, half: "k" | "v"): string =>
    `${kind}.${layer}.${half}`,
} as const;

/**
 * Declares the inputs that a config's graph takes, and the outputs with new keys and values:
 * `token_ids` [B, S] or `embeddings` [B * S, D]; `position_ids` [B, S]; per rope `rope_cos.{i}`, `rope_sin.{i}` [R, pairs]; by the kinds of masks in use
 * `suffix_mask` [T] and `new_mask` [G * S, S], `full_mask` and `sliding_mask` [G * S, X + T + S]; per layer
 * `prefix.{l}.k|v` [kvHeads, 1, X, headSize], `suffix.{l}.k|v` [kvHeads, B, T, headSize] and the output
 * `new.{l}.k|v` [kvHeads, B, S, headSize].
 */
export function declareDecoderTensors(
  graph: OnnxGraph,
  config: DecoderConfig,
  { embeddings }: { readonly embeddings: boolean },
): DecoderInputs {
  const names = DECODER_TENSORS;
  const { kvHeadCount, headSize } = config;
  for (let layer = 0; layer < config.blockCount; layer++) {
    for (const half of ["k", "v"] as const) {
      graph.input(names.cache("prefix", layer, half), "float32", [kvHeadCount, 1, "X", headSize]);
      graph.input(names.cache("suffix", layer, half), "float32", [kvHeadCount, "B", "T", headSize]);
      graph.output(names.cache("new", layer, half), "float32", [kvHeadCount, "B", "S", headSize]);
    }
  }
  for (const kind of maskKinds(config)) {
    if (kind === "spans") {
      graph.input(names.suffixMask, "float32", ["T"]);
      graph.input(names.newMask, "float32", ["GS", "S"]);
    } else {
      graph.input(names.wholeMask(kind), "float32", ["GS", "XTS"]);
    }
  }
  return {
    tokens: embeddings
      ? { embeddings: graph.input(names.embeddings, "float32", ["BS", config.hiddenSize]) }
      : { ids: graph.input(names.tokenIds, "int64", ["B", "S"]) },
    positionIds: graph.input(names.positionIds, "int64", ["B", "S"]),
    ropes: config.ropes.map((rope, index) => {
      const shape = ["R", rotaryPairs(rope)];
      return {
        cos: graph.input(names.rope(index, "cos"), "float32", shape),
        sin: graph.input(names.rope(index, "sin"), "float32", shape),
      };
    }),
    suffixMask: names.suffixMask,
    newMask: names.newMask,
    wholeMask: names.wholeMask,
  };
}
