import { SepError } from "../../errors.ts";
import type { ConfigReader } from "./config-reader.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { rotaryPairs } from "./rope.ts";
import type { WeightIndex } from "./weights.ts";

/** The names that architectures give to their sizes, and what each may be at most with and without weights. */
const LAYER_COUNTS = ["num_hidden_layers", "n_layer", "num_layers"];
const WIDTHS = [
  ...["hidden_size", "n_embd", "d_model", "embedding_size", "vocab_size"],
  ...["num_attention_heads", "n_head", "num_key_value_heads", "head_dim", "intermediate_size", "n_inner"],
];
const POSITIONS = ["max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"];

/** The deepest models have some 130. */
const MOST_LAYERS = 4096;
/** Of a table or a matrix: 262,000 tokens, 150,000 hidden values. */
const MOST_WIDTH = 1 << 24;
/** Contexts of ten million tokens are claimed; some configs write 2^31 - 1 for "any". */
const MOST_POSITIONS = 2 ** 31 - 1;

/**
 * Checks the sizes that a config states against the tensors that exist, before anything is allocated by them: a
 * layer has a tensor of its own, and no width is larger than the longest dimension of a tensor that has bytes in the
 * file. What exactly each tensor's shape must be is checked when the graph is built.
 * @param weights null if they are on another machine; then no size may be larger than any real model's
 * @param mostPositions where memory is taken for every position that there can be
 * @throws SepError `bad-checkpoint` naming the field, its value and its bound
 */
export function checkConfigSizes(
  config: ConfigReader,
  weights: WeightIndex | null,
  { mostPositions = MOST_POSITIONS }: { readonly mostPositions?: number } = {},
): void {
  const longest = weights === null ? MOST_WIDTH : longestDimension(weights);
  const bounds = [
    [LAYER_COUNTS, Math.min(MOST_LAYERS, weights?.size ?? MOST_LAYERS)],
    [WIDTHS, longest],
    [POSITIONS, mostPositions],
  ] as const;
  for (const source of [config, config.section("text_config")]) {
    for (const [fields, most] of bounds) {
      for (const field of fields) {
        const value = source?.value(field);
        if (typeof value !== "number" || !(value > most)) continue;
        throw new SepError(
          "bad-checkpoint",
          `${source?.path}: "${field}" is ${value}, and ${weights === null ? "no model has" : "the weights allow"} more than ${most}. Either config and weights do not belong together, or the file is malicious.`,
        );
      }
    }
  }
}

function longestDimension(weights: WeightIndex): number {
  let longest = 0;
  for (const { shape, byteLength } of weights.values()) {
    if (byteLength > 0) for (const extent of shape) longest = Math.max(longest, extent);
  }
  return longest;
}

/**
 * Holds a decoder's heads against what the graph's shapes need.
 * @throws SepError `bad-checkpoint`
 */
export function checkHeads(config: DecoderConfig, path: string): DecoderConfig {
  const { headCount, kvHeadCount, headSize, ropes } = config;
  if (headCount % kvHeadCount !== 0) {
    throw new SepError(
      "bad-checkpoint",
      `${path}: ${headCount} query heads cannot be divided among ${kvHeadCount} key/value heads.`,
    );
  }
  if (!Number.isInteger(headSize)) {
    throw new SepError("bad-checkpoint", `${path}: head size ${headSize}, expected an integer.`);
  }
  if (ropes.some((rope) => 2 * rotaryPairs(rope) > headSize)) {
    throw new SepError(
      "bad-checkpoint",
      `${path}: head size ${headSize}, expected an even number, since heads are rotated in pairs.`,
    );
  }
  return config;
}
