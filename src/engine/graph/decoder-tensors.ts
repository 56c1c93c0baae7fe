import { eachSpan, type MaskKind, maskKinds, SHARED_SPANS, type SharedSpan } from "./attention-masks.ts";
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
  slots: (span: SharedSpan): string => `${span}_slots`,
  slotOfRow: (span: SharedSpan): string => `${span}_slot_of_row`,
  gap: "gap",
  mask: (kind: MaskKind): string => `${kind}_mask`,
  traceRows: "trace_rows",
  logitRows: "logit_rows",
  inverseTemperature: "inverse_temperature",
  window: "window",
  share: "share",
  logits: "logits",
  highest: "highest",
  mass: "mass",
  weighted: "weighted",
  temperedMass: "tempered_mass",
  reached: "reached",
  likelyPlaces: "likely_places",
  likelyLogits: "likely_logits",
  finalNorm: "final_norm",
  residual: (layer: number): string => `residual.${layer}`,
  cache: (kind: SharedSpan | "suffix" | "new", layer: number, half: "k" | "v"): string =>
    `${kind}.${layer}.${half}`,
} as const;

/**
 * Declares the inputs that a config's graph takes, and the outputs with new keys and values, for B rows of S new tokens,
 * whose shared spans lie in groups with R slots each, by span:
 * `token_ids` [B, S] or `embeddings` [B * S, D]; `position_ids` [B, S]; per rope `rope_cos.{i}`, `rope_sin.{i}` [positions, pairs];
 * `common_slots`, `prefix_slots` [groups, kvHeads, R] and `common_slot_of_row`, `prefix_slot_of_row` [B, kvHeads]; by the kinds
 * of masks in use `full_mask` and `sliding_mask` [B, 1, 1, S, C + X + gap + S + T + P], with P positions of padding, and `gap` [1]; per layer
 * `common.{l}.k|v` [groups, kvHeads, C, headSize], `prefix.{l}.k|v` [groups, kvHeads, X, headSize], `suffix.{l}.k|v` [B, kvHeads, 1, T, headSize] and the output
 * `new.{l}.k|v` [B, kvHeads, S, headSize].
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
      for (const span of SHARED_SPANS)
        graph.input(names.cache(span, layer, half), "float32", [
          `${span}_groups`,
          kvHeadCount,
          `${span}_capacity`,
          headSize,
        ]);
      graph.input(names.cache("suffix", layer, half), "float32", ["B", kvHeadCount, 1, "T", headSize]);
      graph.output(names.cache("new", layer, half), "float32", ["B", kvHeadCount, "S", headSize]);
    }
  }
  for (const kind of maskKinds(config)) graph.input(names.mask(kind), "float32", ["B", 1, 1, "S", "width"]);
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
    slots: eachSpan((span) =>
      graph.input(names.slots(span), "int64", [`${span}_groups`, kvHeadCount, `${span}_slots_per_group`]),
    ),
    slotOfRow: eachSpan((span) => graph.input(names.slotOfRow(span), "int64", ["B", kvHeadCount])),
    gap: graph.input(names.gap, "int64", [1]),
    mask: names.mask,
  };
}
