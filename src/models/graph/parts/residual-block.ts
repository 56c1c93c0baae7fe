import type { TensorName } from "../../../onnx/graph.ts";
import type { BlockOutput, GraphScope, ResidualStream } from "../graph-scope.ts";
import { addNorm, addResidual, addResidualNorm, type NormedResidual } from "./norm.ts";

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
  stream: ResidualStream,
  { attention, mlp }: Sublayers,
): BlockOutput {
  const first = enter(scope, stream, attention);
  const middle = { base: first.residual, pending: addOutput(scope, attention, first.normed) };
  const second = enter(scope, middle, mlp);
  const pending = addOutput(scope, mlp, second.normed);
  return { entered: first.residual, stream: { base: second.residual, pending } };
}

/** x + attention(x) + mlp(x): both read the stream as it enters the block. */
export function addParallelBlock(
  scope: GraphScope,
  stream: ResidualStream,
  { attention, mlp }: Sublayers,
): BlockOutput {
  const first = enter(scope, stream, attention);
  const second = enter(scope, { base: first.residual, pending: null }, mlp);
  const attended = addOutput(scope, attention, first.normed);
  const pending = scope.graph.add("Add", [addOutput(scope, mlp, second.normed), attended]);
  return { entered: first.residual, stream: { base: first.residual, pending } };
}

const enter = (scope: GraphScope, stream: ResidualStream, { normBefore }: Sublayer): NormedResidual =>
  normBefore === undefined ? addResidual(scope, stream) : addResidualNorm(scope, stream, normBefore);

function addOutput(scope: GraphScope, { compute, normAfter }: Sublayer, x: TensorName): TensorName {
  const output = compute(x);
  return normAfter === undefined ? output : addNorm(scope, output, normAfter, scope.config.hiddenSize);
}
