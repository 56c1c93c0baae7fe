import type { WeightIndex } from "../../checkpoint/weight-index.ts";
import { SepError } from "../../errors.ts";
import type { GraphWeights } from "./graph-weights.ts";

/**
 * What stands before the trunk's names in a checkpoint: the first root that has the tensor.
 * @param roots  in the order in which they are tried
 * @param tensor a tensor that every trunk has, below its root
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

export interface Trunk {
  /** What the graph reads. */
  readonly weights: GraphWeights;
  readonly root: string;
  /** Tensors below the root that take no part in the forward pass. */
  readonly ignored: RegExp;
  readonly modelType: string;
}

/**
 * A trunk with more weights than the graph computes with is another model than the graph.
 * @throws SepError `unsupported-model` naming such a weight
 */
export function refuseUnusedWeights(index: WeightIndex, { weights, root, ignored, modelType }: Trunk): void {
  const unused = [...index.keys()].filter(
    (name) => name.startsWith(root) && !weights.used(name) && !ignored.test(name.slice(root.length)),
  );
  if (unused.length === 0) return;
  const others = unused.length > 1 ? ` and ${unused.length - 1} more` : "";
  throw new SepError(
    "unsupported-model",
    `The checkpoint has the tensor "${unused[0]}"${others}, which the graph of a ${modelType} with this config does not use. It is of another kind than its config says.`,
  );
}
