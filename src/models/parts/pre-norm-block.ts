import type { BlockOutput, GraphScope, ResidualStream } from "../graph-scope.ts";
import { addAttention } from "./attention.ts";
import { addLinear } from "./linear.ts";
import { addGatedMlp } from "./mlp.ts";
import { addHeadNorm, addResidualNorm } from "./norm.ts";
import { addRotary } from "./rotary.ts";

/** What differs between the models of the Llama family. */
export interface PreNormBlockOptions {
  /** RMS norm on every query and key head before the rotation (Qwen3). */
  readonly queryKeyNorm: boolean;
}

/**
 * One block of the Llama family: x + attention(norm(x)), then x + mlp(norm(x)).
 * @param layer block index from 0
 */
export function addPreNormBlock(
  scope: GraphScope,
  layer: number,
  stream: ResidualStream,
  { queryKeyNorm }: PreNormBlockOptions,
): BlockOutput {
  const { hiddenSize, headCount, kvHeadCount, headSize } = scope.config;
  const prefix = `model.layers.${layer}`;
  const attention = `${prefix}.self_attn`;

  const { normed, residual: entered } = addResidualNorm(scope, stream, `${prefix}.input_layernorm.weight`);
  const project = (name: string, heads: number): string =>
    addLinear(scope, normed, `${attention}.${name}.weight`, heads * headSize, hiddenSize);
  let queries = project("q_proj", headCount);
  let keys = project("k_proj", kvHeadCount);
  const values = project("v_proj", kvHeadCount);
  if (queryKeyNorm) {
    queries = addHeadNorm(scope, queries, `${attention}.q_norm.weight`);
    keys = addHeadNorm(scope, keys, `${attention}.k_norm.weight`);
  }
  const mixed = addAttention(scope, layer, {
    q: addRotary(scope, queries, "queries"),
    k: addRotary(scope, keys, "keys"),
    v: values,
  });
  const attended = addLinear(scope, mixed, `${attention}.o_proj.weight`, hiddenSize, headCount * headSize);

  const middle = addResidualNorm(
    scope,
    { base: entered, pending: attended },
    `${prefix}.post_attention_layernorm.weight`,
  );
  const pending = addGatedMlp(scope, middle.normed, `${prefix}.mlp`);
  return { entered, stream: { base: middle.residual, pending } };
}
