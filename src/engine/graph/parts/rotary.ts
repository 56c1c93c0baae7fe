import type { BlockSettings } from "../decoder-config.ts";
import type { TensorName } from "../graph.ts";
import type { GraphScope, RopeTables } from "../graph-scope.ts";
import { type RopeSettings, rotaryPairs } from "../rope.ts";

/**
 * Rotary position embedding of a block's queries or keys, first half of the rotated numbers against their second half
 * (Hugging Face's layout). Blocks without rotation get x back.
 * @param x any shape that holds B * S * heads * headSize numbers in token order
 * @returns the same numbers in token order
 * @see Su et al. 2021, eq. 34
 */
export function addRotary(
  { graph, inputs, shapes, config }: GraphScope,
  layer: number,
  x: TensorName,
  kind: "queries" | "keys",
): TensorName {
  const { rope } = config.blocks[layer] as BlockSettings;
  if (rope === null) return x;
  const tables = inputs.ropes[rope] as RopeTables;
  const rotated = 2 * rotaryPairs(config.ropes[rope] as RopeSettings);
  const sequences = graph.add("Reshape", [x, shapes[kind]]);
  return graph.add("RotaryEmbedding", [sequences, inputs.positionIds, tables.cos, tables.sin], {
    num_heads: kind === "queries" ? config.headCount : config.kvHeadCount,
    ...(rotated === config.headSize ? {} : { rotary_embedding_dim: rotated }),
  });
}
