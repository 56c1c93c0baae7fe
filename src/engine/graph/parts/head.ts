import type { TensorNames } from "../architectures/architecture.ts";
import type { TensorName } from "../graph.ts";
import type { GraphScope } from "../graph-scope.ts";
import { addLinear } from "./linear.ts";

/** @param x [N, D] the stream after the final norm; @returns [N, V] logits */
export function addHead(scope: GraphScope, x: TensorName, tensors: TensorNames): TensorName {
  const { vocabularySize, hiddenSize } = scope.config;
  const name = findHead(scope, tensors);
  return addSoftcap(scope, addLinear(scope, x, name, vocabularySize, hiddenSize, { isHead: true }));
}

/**
 * A head that is stored is taken even where the config ties it to the embeddings: it holds the same values, or the
 * config is wrong, and transformers takes it too.
 */
function findHead({ weights, config, root }: GraphScope, { heads, embedding }: TensorNames): string {
  const stored = heads.find((head) => weights.has(`${head}.weight`));
  return stored ?? (config.tiedEmbeddings ? `${root}${embedding}` : (heads[0] as string));
}

function addSoftcap({ graph, config }: GraphScope, logits: TensorName): TensorName {
  if (config.logitSoftcap === null) return logits;
  const cap = graph.scalar(config.logitSoftcap);
  return graph.add("Mul", [graph.add("Tanh", [graph.add("Div", [logits, cap])]), cap]);
}
