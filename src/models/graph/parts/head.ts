import type { TensorName } from "../../../onnx/graph.ts";
import type { TensorNames } from "../../architectures/architecture.ts";
import type { GraphScope, LinearWeight } from "../graph-scope.ts";
import { addLinear } from "./linear.ts";

/** @param x [N, D] the stream after the final norm; @returns [N, V] logits */
export function addHead(scope: GraphScope, x: TensorName, tensors: TensorNames): TensorName {
  const { vocabularySize: outSize, hiddenSize: inSize } = scope.config;
  const name = findHead(scope, tensors);
  const weight: LinearWeight = { name: `${name}.weight`, outSize, inSize, layout: "out-in", isHead: true };
  const whole = 4 * outSize * inSize <= scope.tables.headBytes || !scope.operators.sharesMemory;
  const logits =
    whole || scope.weights.quantised(weight) !== null
      ? addLinear(scope, x, name, outSize, inSize, { isHead: true })
      : addSlices(scope, x, weight);
  return addSoftcap(scope, logits);
}

/** A multiple of every kernel's width, so that each logit is computed as the whole product computes it. */
const SLICE_STEP = 128;

/** The product in float32, a stretch of the vocabulary at a time. */
function addSlices(scope: GraphScope, x: TensorName, weight: LinearWeight): TensorName {
  const { graph, weights, linears, tables } = scope;
  const { name, outSize, inSize } = weight;
  linears.push(weight);
  const step = Math.max(1, Math.floor(tables.headBytes / (4 * inSize * SLICE_STEP))) * SLICE_STEP;
  const slices: TensorName[] = [];
  for (let begin = 0; begin < outSize; begin += step) {
    const rows = weights.float32Rows(name, [outSize, inSize], begin, Math.min(begin + step, outSize));
    slices.push(graph.add("Gemm", [x, rows], { transB: 1 }));
  }
  return graph.add("Concat", slices, { axis: 1 });
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
