import type { ConfigReader } from "../graph/config-reader.ts";
import type { TensorName } from "../graph/graph.ts";
import type { EncoderConfig } from "./encoder-config.ts";
import type { EncoderScope } from "./encoder-scope.ts";

/** One family of encoder checkpoints. All of them name and order their blocks as BERT does; this is what differs. */
export interface EncoderArchitecture {
  /** Values of `model_type` in `config.json`. */
  readonly modelTypes: readonly string[];
  /**
   * @throws SepError `unsupported-model` naming a field whose value would change the forward pass in a way that the
   *   graph does not compute
   */
  readConfig(config: ConfigReader): EncoderConfig;
  /** What stands before the trunk's names: with a head, and without. */
  readonly roots: readonly string[];
  /** Names of a block's three projections, below `attention.self.`. */
  readonly projections: { readonly query: string; readonly key: string; readonly value: string };
  /**
   * From each text's first token to its logits.
   * @param first [B, D]
   * @returns [B, labelCount]
   */
  addHead(scope: EncoderScope, first: TensorName, labelCount: number): TensorName;
  /** Below the root: tensors that take no part, such as heads of other tasks. */
  readonly ignored: RegExp;
}
