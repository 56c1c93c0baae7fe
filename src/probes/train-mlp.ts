import { logistic } from "../math/logistic.ts";
import { createRng } from "../math/rng.ts";
import { transpose } from "../math/vector.ts";
import type { MatrixMultiplier } from "./products/matrix-multiplier.ts";

/** A network with one hidden layer: logit = output · relu(hidden^T z + hiddenBias) + outputBias. */
interface Mlp {
  /** [d,h] */
  readonly hidden: Float32Array;
  /** [h] */
  readonly hiddenBias: Float32Array;
  /** [h] */
  readonly output: Float32Array;
  /** [1] */
  readonly outputBias: Float32Array;
}

/** The rows that a network is trained on. */
interface MlpRows {
  /** [n,d] standardised; may be longer */
  readonly features: Float32Array;
  /** [n] 0 or 1 */
  readonly labels: ArrayLike<number>;
  /** [n] C times the row's class weight */
  readonly costs: Float64Array;
}

/** Units of the hidden layer: enough for a curved boundary, few enough for a few hundred rows. */
export const MLP_UNITS = 32;
const MLP_EPOCHS = 100;
const LEARNING_RATE = 1e-3;
/** Adam's usual constants. */
const FIRST_DECAY = 0.9;
const SECOND_DECAY = 0.999;
const SMALLEST_SCALE = 1e-8;

/**
 * Trains a small network with Adam, full batch:
 * min of (½||weights||² + Σ_i costs_i log-loss_i) / Σ costs, biases unpenalised. Not convex: the result depends on the
 * start and the number of epochs.
 * @param start is trained in place, and returned
 * @see Kingma and Ba 2015, "Adam"; Glorot and Bengio 2010, for the initial weights
 */
export async function trainMlp(
  multiplier: MatrixMultiplier,
  start: Mlp,
  rows: MlpRows,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Mlp> {
  const { features, labels, costs } = rows;
  const n = labels.length;
  const mlp = start;
  const width = mlp.hidden.length / MLP_UNITS;
  const total = costs.reduce((sum, cost) => sum + cost, 0);
  const turned = transpose(features, n, width);
  const activations = new Float32Array(n * MLP_UNITS);
  const gradient = {
    hidden: new Float32Array(width * MLP_UNITS),
    hiddenBias: new Float32Array(MLP_UNITS),
    output: new Float32Array(MLP_UNITS),
    outputBias: new Float32Array(1),
  };
  const parameters = [mlp.hidden, mlp.hiddenBias, mlp.output, mlp.outputBias];
  const slopes = [gradient.hidden, gradient.hiddenBias, gradient.output, gradient.outputBias];
  const moments = parameters.map(
    ({ length }) => [new Float64Array(length), new Float64Array(length)] as const,
  );
  for (let epoch = 1; epoch <= MLP_EPOCHS; epoch++) {
    signal?.throwIfAborted();
    await activate(multiplier, mlp, features, activations);
    backpropagate(mlp, activations, rows, total, gradient);
    const shape = { m: width, k: n, n: MLP_UNITS, transposeB: false };
    await multiplier.multiply(turned, activations, gradient.hidden, shape);
    addPenalty(gradient.hidden, mlp.hidden, total);
    addPenalty(gradient.output, mlp.output, total);
    parameters.forEach((values, i) => {
      stepAdam(values, slopes[i]!, moments[i]!, epoch);
    });
  }
  return mlp;
}

/**
 * @param features [n,d] standardised; may be longer
 * @returns [n] logits
 */
export async function scoreMlp(
  multiplier: MatrixMultiplier,
  mlp: Mlp,
  features: Float32Array,
  rowCount: number,
): Promise<Float64Array> {
  const activations = new Float32Array(rowCount * MLP_UNITS);
  await activate(multiplier, mlp, features, activations);
  return Float64Array.from({ length: rowCount }, (_, row) => logitOf(mlp, activations, row));
}

/** The network before training: weights uniform in ±sqrt(6 / (inputs + outputs)), biases zero. */
export function startMlp(width: number, seed: number): Mlp {
  const rng = createRng("mlp", seed, width);
  const draw = (length: number, inputs: number, outputs: number): Float32Array => {
    const bound = Math.sqrt(6 / (inputs + outputs));
    return Float32Array.from({ length }, () => bound * (2 * rng.next() - 1));
  };
  return {
    hidden: draw(width * MLP_UNITS, width, MLP_UNITS),
    hiddenBias: new Float32Array(MLP_UNITS),
    output: draw(MLP_UNITS, MLP_UNITS, 1),
    outputBias: new Float32Array(1),
  };
}

/** activations [n,h] <- those of n rows before the rectifier, biases included. */
async function activate(
  multiplier: MatrixMultiplier,
  { hidden, hiddenBias }: Mlp,
  features: Float32Array,
  activations: Float32Array,
): Promise<void> {
  const [rowCount, width] = [activations.length / MLP_UNITS, hidden.length / MLP_UNITS];
  const shape = { m: rowCount, k: width, n: MLP_UNITS, transposeB: false };
  await multiplier.multiply(features, hidden, activations, shape);
  for (let i = 0; i < activations.length; i++) {
    activations[i] = activations[i]! + hiddenBias[i % MLP_UNITS]!;
  }
}

function logitOf({ output, outputBias }: Mlp, activations: Float32Array, row: number): number {
  let sum = outputBias[0]!;
  for (let u = 0; u < MLP_UNITS; u++) sum += output[u]! * Math.max(0, activations[row * MLP_UNITS + u]!);
  return sum;
}

/** Overwrites `activations` with the loss's derivatives; `gradient` gets all parts except the hidden weights'. */
function backpropagate(
  mlp: Mlp,
  activations: Float32Array,
  { labels, costs }: MlpRows,
  total: number,
  gradient: Mlp,
): void {
  gradient.hiddenBias.fill(0);
  gradient.output.fill(0);
  gradient.outputBias.fill(0);
  for (let row = 0; row < labels.length; row++) {
    const slope = (costs[row]! * (logistic(logitOf(mlp, activations, row)) - labels[row]!)) / total;
    gradient.outputBias[0] = gradient.outputBias[0]! + slope;
    for (let u = 0; u < MLP_UNITS; u++) {
      const at = row * MLP_UNITS + u;
      const active = activations[at]!;
      const passed = active > 0 ? slope * mlp.output[u]! : 0;
      if (active > 0) gradient.output[u] = gradient.output[u]! + slope * active;
      gradient.hiddenBias[u] = gradient.hiddenBias[u]! + passed;
      activations[at] = passed;
    }
  }
}

function addPenalty(slopes: Float32Array, weights: Float32Array, total: number): void {
  for (let i = 0; i < weights.length; i++) slopes[i] = slopes[i]! + weights[i]! / total;
}

function stepAdam(
  values: Float32Array,
  slopes: Float32Array,
  [first, second]: readonly [Float64Array, Float64Array],
  epoch: number,
): void {
  const rate = (LEARNING_RATE * Math.sqrt(1 - SECOND_DECAY ** epoch)) / (1 - FIRST_DECAY ** epoch);
  const floor = SMALLEST_SCALE * Math.sqrt(1 - SECOND_DECAY ** epoch);
  for (let i = 0; i < values.length; i++) {
    const slope = slopes[i]!;
    const mean = FIRST_DECAY * first[i]! + (1 - FIRST_DECAY) * slope;
    const square = SECOND_DECAY * second[i]! + (1 - SECOND_DECAY) * slope * slope;
    first[i] = mean;
    second[i] = square;
    values[i] = values[i]! - (rate * mean) / (Math.sqrt(square) + floor);
  }
}
