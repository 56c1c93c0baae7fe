import type { TensorName } from "../graph.ts";
import type { GraphScope } from "../graph-scope.ts";
import { addNorm } from "./norm.ts";

/** One of a block's two halves; norms by name, absent where there is none. */
export interface Sublayer {
  readonly normBefore?: string;
  /** [N, D] -> [N, D] */
  readonly compute: (x: TensorName) => TensorName;
  readonly normAfter?: string;
}

export interface Sublayers {
  readonly attention: Sublayer;
  readonly mlp: Sublayer;
}

/** x + attention(x), then x + mlp(x), with norms in front, behind, or both. */
export function addSequentialBlock(
  scope: GraphScope,
  x: TensorName,
  { attention, mlp }: Sublayers,
): TensorName {
  const { graph } = scope;
  const middle = graph.add("Add", [x, addSublayer(scope, attention, x)]);
  return graph.add("Add", [middle, addSublayer(scope, mlp, middle)]);
}

/** x + attention(x) + mlp(x): both read the stream as it enters the block. */
export function addParallelBlock(
  scope: GraphScope,
  x: TensorName,
  { attention, mlp }: Sublayers,
): TensorName {
  const { graph } = scope;
  const attended = addSublayer(scope, attention, x);
  return graph.add("Add", [x, graph.add("Add", [addSublayer(scope, mlp, x), attended])]);
}

function addSublayer(
  scope: GraphScope,
  { normBefore, compute, normAfter }: Sublayer,
  x: TensorName,
): TensorName {
  const width = scope.config.hiddenSize;
  const output = compute(normBefore === undefined ? x : addNorm(scope, x, normBefore, width));
  return normAfter === undefined ? output : addNorm(scope, output, normAfter, width);
}
