import { SepError } from "../../errors.ts";
import type { OnnxGraph, OnnxType, TensorName } from "./graph.ts";
import type { GraphWeights, QuantisedWeight, QuantisedWeights } from "./graph-scope.ts";
import type { ByteSource, StoredWeight, WeightIndex } from "./weights.ts";

const GRAPH_TYPES: Readonly<Record<string, OnnxType>> = { F32: "float32", F16: "float16", BF16: "bfloat16" };

/** What quantised weights are made of. */
const CODE_TYPES: Readonly<Record<string, OnnxType>> = { F32: "float32", I8: "int8", U8: "uint8" };

/**
 * The constants of a graph, from a checkpoint and its quantised weights.
 * @throws SepError from its methods: `bad-checkpoint` when a tensor is missing or has another shape than the config
 *   implies, `unsupported-model` for a dtype that is not a float
 */
export function createGraphWeights(
  graph: OnnxGraph,
  index: WeightIndex,
  quantised: QuantisedWeights | null = null,
): GraphWeights {
  const located = new Set<string>();
  const sources = new Map<string, ByteSource>();
  const addConstant = (
    name: TensorName,
    type: OnnxType,
    { source, shape, byteOffset, byteLength }: StoredWeight,
  ): TensorName => {
    sources.set(source.name, source);
    return graph.external(name, type, shape, { file: source.name, byteOffset, byteLength });
  };
  const stored = new Map<string, { tensor: TensorName; type: OnnxType }>();
  const widened = new Map<string, TensorName>();
  const quantisedWeights = new Map<string, QuantisedWeight>();
  const weights: GraphWeights = {
    sources: () => [...sources.values()],
    has: (name) => index.has(name),
    used: (name) => located.has(name) || quantisedWeights.has(name),
    quantised(weight) {
      if (quantised === null) return null;
      const known = quantisedWeights.get(weight.name);
      if (known !== undefined) return known;
      const format = quantised.quantisation.formatOf(weight);
      const parts = format
        .tensors(weight)
        .map(({ name, dtype }) =>
          addConstant(name, CODE_TYPES[dtype] as OnnxType, quantised.index.get(name) as StoredWeight),
        );
      quantisedWeights.set(weight.name, { format, parts });
      return { format, parts };
    },
    locate(name, shape) {
      const weight = index.get(name);
      if (weight === undefined) {
        throw new SepError(
          "bad-checkpoint",
          `The checkpoint has no tensor "${name}", which its config implies.`,
        );
      }
      if (weight.shape.join() !== shape.join()) {
        throw new SepError(
          "bad-checkpoint",
          `Tensor "${name}" is [${weight.shape.join(", ")}], and the config implies [${shape.join(", ")}].`,
        );
      }
      if (GRAPH_TYPES[weight.dtype] === undefined) {
        throw new SepError(
          "unsupported-model",
          `Tensor "${name}" is ${weight.dtype}; F32, F16 and BF16 are implemented.`,
        );
      }
      located.add(name);
      return weight;
    },
    stored(name, shape) {
      const known = stored.get(name);
      if (known !== undefined) return known;
      const weight = weights.locate(name, shape);
      const type = GRAPH_TYPES[weight.dtype] as OnnxType;
      const tensor = addConstant(name, type, weight);
      stored.set(name, { tensor, type });
      return { tensor, type };
    },
    float32(name, shape) {
      const known = widened.get(name);
      if (known !== undefined) return known;
      const { tensor, type } = weights.stored(name, shape);
      const wide = type === "float32" ? tensor : graph.add("Cast", [tensor], { to: 1 });
      widened.set(name, wide);
      return wide;
    },
  };
  return weights;
}

/**
 * The prefix of the backbone's names in a checkpoint: the first root that has the tensor.
 * @param roots  in the order in which they are tried
 * @param tensor a tensor that every backbone has, below its root
 * @throws SepError `bad-checkpoint` if no root has it
 */
export function findRoot(index: WeightIndex, roots: readonly string[], tensor: string): string {
  const found = roots.find((root) => index.has(`${root}${tensor}`));
  if (found !== undefined) return found;
  const candidates = roots.map((root) => `"${root}${tensor}"`).join(" or ");
  throw new SepError(
    "bad-checkpoint",
    `The checkpoint has no tensor ${candidates}, which its config implies.`,
  );
}

interface Backbone {
  /** What the graph reads. */
  readonly weights: GraphWeights;
  readonly root: string;
  /** Tensors below the root that take no part in the forward pass. */
  readonly ignored: RegExp;
  readonly modelType: string;
}

/**
 * A backbone with more weights than the graph computes with is another model than the graph.
 * @throws SepError `unsupported-model` naming such a weight
 */
export function refuseUnusedWeights(
  index: WeightIndex,
  { weights, root, ignored, modelType }: Backbone,
): void {
  const unused = [...index.keys()].filter(
    (name) => name.startsWith(root) && !weights.used(name) && !ignored.test(name.slice(root.length)),
  );
  if (unused.length === 0) return;
  const others = unused.length > 1 ? ` and ${unused.length - 1} more` : "";
  throw new SepError(
    "unsupported-model",
    `The checkpoint has the tensor "${unused[0]}"${others}, which the graph of a ${modelType} with this config does not use. It is a different kind of model than its config says.`,
  );
}
