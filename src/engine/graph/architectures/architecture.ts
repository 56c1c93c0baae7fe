import type { ConfigReader } from "../config-reader.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import type { TensorName } from "../graph.ts";
import type { GraphScope } from "../graph-scope.ts";

/** One family of checkpoints: how its config reads, and how its block is put together from `parts/`. */
export interface Architecture {
  /** Values of `model_type` in `config.json`. */
  readonly modelTypes: readonly string[];
  /**
   * @throws SepError `unsupported-model` naming a field whose value would change the forward pass in a way that the
   *   graph does not compute
   */
  readConfig(config: ConfigReader): DecoderConfig;
  /**
   * Adds block `layer` (from 0) to the graph.
   * @param x [N, D] the residual stream as it enters the block
   * @returns [N, D] the stream after the block
   */
  addBlock(scope: GraphScope, layer: number, x: TensorName): TensorName;
  readonly tensors: TensorNames;
}

/** Names of the tensors outside the blocks, without `.weight`. */
export interface TensorNames {
  /** The prefix of the backbone's names; checkpoints differ, and the first that fits is taken. */
  readonly roots: readonly string[];
  /** Below the root. */
  readonly embedding: string;
  /** Below the root; null without learned positions. */
  readonly positions: string | null;
  /** Below the root. */
  readonly finalNorm: string;
  /** Full names of an output head that is not tied; the first that exists is used. */
  readonly heads: readonly string[];
  /** Below the root: stored tensors that take no part in the forward pass, such as masks that old versions saved. */
  readonly ignored: RegExp;
}

/** The names that most checkpoints use. */
export const COMMON_TENSORS: TensorNames = {
  roots: ["model."],
  embedding: "embed_tokens",
  positions: null,
  finalNorm: "norm",
  heads: ["lm_head"],
  ignored: /\.rotary_emb\.inv_freq$/,
};
