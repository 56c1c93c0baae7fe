import type { ConfigReader } from "../config-reader.ts";
import type { DecoderConfig } from "../decoder-config.ts";
import type { BlockOutput, GraphScope, ResidualStream } from "../graph-scope.ts";

/** One family of checkpoints: how its config reads, and how its block is put together from `parts/`. */
export interface Architecture {
  /** Values of `model_type` in `config.json`. */
  readonly modelTypes: readonly string[];
  readConfig(config: ConfigReader): DecoderConfig;
  /** Adds block `layer` (from 0) to the graph. */
  addBlock(scope: GraphScope, layer: number, stream: ResidualStream): BlockOutput;
  /** Names of the tensors outside the blocks. */
  readonly tensors: { readonly embedding: string; readonly finalNorm: string; readonly head: string };
}
