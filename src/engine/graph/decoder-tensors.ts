import { type MaskKind, maskKinds } from "./attention-masks.ts";
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
  slots: "slots",
  slotOfRow: "slot_of_row",
  mask: (kind: MaskKind): string => `${kind}_mask`,
  traceRows: "trace_rows",
  logitRows: "logit_rows",
  inverseTemperature: "inverse_temperature",
  window: "window",
  logits: "logits",
  highest: "highest",
  mass: "mass",
  weighted: "weighted",
  temperedMass: "tempered_mass",
  likelyPlaces: "likely_places",
  likelyLogits: "likely_logits",
  finalNorm: "final_norm",
  residual: (layer: number): string => `residual.${layer}`,
  cache: (kind: "prefix" | "suffix" | "new", layer: number, half: "k" | "v"): string =>
    `${kind}.${layer}.${half}`,
} as const;

/**
 * Declares the inputs that a config's graph takes, and the outputs with new keys and values, for B rows of S new tokens,
 * whose prefixes lie in `groups` groups with R slots each:
 * `token_ids` [B, S] or `embeddings` [B * S, D]; `position_ids` [B, S]; per rope `rope_cos.{i}`, `rope_sin.{i}` [positions, pairs];
 * `slots` [groups, kvHeads, R] and `slot_of_row` [B, kvHeads]; by the kinds of masks in use `full_mask` and
 * `sliding_mask` [B, 1, 1, S, X + S + T + P], with P positions of padding; per layer
 * `prefix.{l}.k|v` [groups, kvHeads, X, headSize], `suffix.{l}.k|v` [B, kvHeads, 1, T, headSize] and the output
 * `new.{l}.k|v` [B, kvHeads, 1, S, headSize].
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
      graph.input(names.cache("prefix", layer, half), "float32", ["groups", kvHeadCount, "X", headSize]);
      graph.input(names.cache("suffix", layer, half), "float32", ["B", kvHeadCount, 1, "T", headSize]);
      graph.output(names.cache("new", layer, half), "float32", ["B", kvHeadCount, 1, "S", headSize]);
    }
  }
  for (const kind of maskKinds(config)) graph.input(names.mask(kind), "float32", ["B", 1, 1, "S", "XSTP"]);
  return {
    tokens: embeddings
      ? { embeddings: graph.input(names.embeddings, "float32", ["BS", config.hiddenSize]) }
      : { ids: graph.input(names.tokenIds, "int64", ["B", "S"]) },
    positionIds: graph.input(names.positionIds, "int64", ["B", "S"]),
    ropes: config.ropes.map((rope, index) => {
      const shape = ["positions", rotaryPairs(rope)];
      return {
        cos: graph.input(names.rope(index, "cos"), "float32", shape),
        sin: graph.input(names.rope(index, "sin"), "float32", shape),
      };
    }),
    slots: graph.input(names.slots, "int64", ["groups", kvHeadCount, "R"]),
    slotOfRow: graph.input(names.slotOfRow, "int64", ["B", kvHeadCount]),
    mask: names.mask,
  };
}
