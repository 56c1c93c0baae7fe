import type { GraphModel } from "../runtime/runtime.ts";
import type { Architecture } from "./architectures/architecture.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { createGraph } from "./graph.ts";
import { createGraphWeights, findRoot } from "./graph-weights.ts";
import { addHead } from "./parts/embedding.ts";
import { addNorm } from "./parts/residual-block.ts";
import type { WeightIndex } from "./weights.ts";

/** Names of the lens's tensors. */
export const LENS_TENSORS = { residuals: "residuals", logits: "logits" } as const;

/**
 * The end of a decoder alone: residuals [rows, D] -> final norm -> head -> logits [rows, V].
 * @throws SepError `bad-checkpoint` when weights are missing or misshapen
 */
export function buildLens(architecture: Architecture, config: DecoderConfig, index: WeightIndex): GraphModel {
  const { tensors } = architecture;
  const graph = createGraph("lens");
  const root = findRoot(index, tensors.roots, `${tensors.embedding}.weight`);
  const weights = createGraphWeights(graph, index);
  const scope = {
    graph,
    weights,
    config,
    root,
    linears: [],
    quantisedRows: new Map(),
    rotations: new Map(),
    pairedRows: new Map(),
  };
  const { hiddenSize, vocabularySize } = config;
  const residuals = graph.input(LENS_TENSORS.residuals, "float32", ["rows", hiddenSize]);
  const normed = addNorm(scope, residuals, `${root}${tensors.finalNorm}`, hiddenSize);
  const head = addHead(scope, normed, tensors);
  graph.addNamed("Identity", [head.finish(head)], [LENS_TENSORS.logits]);
  graph.output(LENS_TENSORS.logits, "float32", ["rows", vocabularySize]);
  return { graph: graph.serialize(), sources: weights.sources() };
}
