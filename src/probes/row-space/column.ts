import { logistic } from "../../math/logistic.ts";
import { dot, sum } from "../../math/vector.ts";

/** What a regression minimises at each row: log loss of a 0/1 outcome, or half the squared error of any number. */
export type Loss = "logistic" | "squared";

/**
 * One regression: min over w, b of ½||w||² + Σ_i costs_i loss(outcomes_i, z_i·w + b), the intercept unpenalised.
 */
export interface RowSpaceTask {
  readonly loss: Loss;
  /** [n] */
  readonly outcomes: ArrayLike<number>;
  /** [n] C times the row's weight, >= 0. */
  readonly costs: Float64Array;
}

/**
 * A regression on its way to its optimum by Newton's method, each linear system solved by conjugate gradients. Its
 * weights are w = Z^T u for the duals u, and the inner product of duals is that of their weights, <u, v> = u·K v
 * with K = Z Z^T. Every vector is [n]; an "image" is K times its namesake.
 */
export interface RowSpaceColumn {
  readonly task: RowSpaceTask;
  readonly costSum: number;
  readonly duals: Float64Array;
  intercept: number;
  /** K u + b */
  readonly predictions: Float64Array;
  /** Minus the gradient at first, then what the inner solve has left of it. */
  readonly residual: Float64Array;
  interceptResidual: number;
  /** K residual */
  readonly image: Float64Array;
  /** Second derivative of the loss at each row. */
  readonly curvature: Float64Array;
  curvatureSum: number;
  readonly direction: Float64Array;
  readonly directionImage: Float64Array;
  interceptDirection: number;
  readonly step: Float64Array;
  readonly stepImage: Float64Array;
  interceptStep: number;
  /** Residual times preconditioned residual. */
  residualEnergy: number;
  /** What the Newton step gains by the quadratic model, twice: about ||w - w*||² in the Hessian's norm. */
  decrement: number;
  /** Residual's norm when the inner solve began. */
  startNorm: number;
  weightNorm: number;
  gradientNorm: number;
  innerSteps: number;
  bestInnerNorm: number;
  stalledInnerSteps: number;
  newtonSteps: number;
}

/** Vectors [n] of a column. */
export const VECTORS_OF_A_COLUMN = 9;

/**
 * A column at w = 0 with the intercept that is best there.
 * @param memory [9n] for its vectors, whatever is in it
 */
export function startColumn(task: RowSpaceTask, memory: Float64Array): RowSpaceColumn {
  const { outcomes, costs } = task;
  const count = outcomes.length;
  let used = 0;
  const rows = (): Float64Array => {
    used += count;
    return memory.subarray(used - count, used);
  };
  const intercept = bestConstant(task);
  const column: RowSpaceColumn = {
    task,
    costSum: sum(costs),
    duals: rows().fill(0),
    intercept,
    predictions: rows().fill(intercept),
    residual: rows(),
    interceptResidual: 0,
    image: rows(),
    curvature: rows(),
    curvatureSum: 0,
    direction: rows(),
    directionImage: rows(),
    interceptDirection: 0,
    step: rows(),
    stepImage: rows(),
    interceptStep: 0,
    residualEnergy: 0,
    decrement: 0,
    startNorm: 0,
    weightNorm: 0,
    gradientNorm: Number.POSITIVE_INFINITY,
    innerSteps: 0,
    bestInnerNorm: Number.POSITIVE_INFINITY,
    stalledInnerSteps: 0,
    newtonSteps: 0,
  };
  if (outcomes.length !== costs.length) throw new RangeError("outcomes and costs differ in length");
  linearise(column);
  return column;
}

function bestConstant({ loss, outcomes, costs }: RowSpaceTask): number {
  let weighted = 0;
  let total = 0;
  for (let i = 0; i < costs.length; i++) {
    weighted += costs[i]! * outcomes[i]!;
    total += costs[i]!;
  }
  return loss === "logistic" ? Math.log(weighted / (total - weighted)) : weighted / total;
}

/** Refreshes what depends on the predictions: residual (the gradient's opposite, as duals) and curvature. */
export function linearise(column: RowSpaceColumn): void {
  const { task, predictions, duals, residual, curvature } = column;
  const { outcomes, costs } = task;
  const isLogistic = task.loss === "logistic";
  let pull = 0;
  let curvatureSum = 0;
  for (let i = 0; i < costs.length; i++) {
    const cost = costs[i]!;
    const fitted = isLogistic ? logistic(predictions[i]!) : predictions[i]!;
    const bend = isLogistic ? cost * fitted * (1 - fitted) : cost;
    const pulled = cost * (outcomes[i]! - fitted);
    residual[i] = pulled - duals[i]!;
    curvature[i] = bend;
    pull += pulled;
    curvatureSum += bend;
  }
  column.interceptResidual = pull;
  column.curvatureSum = curvatureSum;
}

/** Begins the inner solve at a zero step, with the residual as it is. */
export function beginInnerSolve(column: RowSpaceColumn, residualNorm: number): void {
  column.step.fill(0);
  column.stepImage.fill(0);
  column.interceptStep = 0;
  column.startNorm = residualNorm;
  column.decrement = 0;
  column.residualEnergy = 0;
  column.innerSteps = 0;
  column.bestInnerNorm = residualNorm;
  column.stalledInnerSteps = 0;
}

/**
 * A preconditioned residual z = share · residual + correction. With the share alone it is the residual itself on
 * the features' scale.
 */
export interface Preconditioned {
  readonly share: number;
  readonly intercept: number;
  /** What residual · K z has beside share · residual · K residual. */
  readonly extraEnergy: number;
  /** [2n] the correction, and after it that of K z; null for none. Good until the next pass. */
  readonly corrections: Float32Array | null;
}

/**
 * One conjugate-gradient step on (I + W K) step = residual, with the fresh image of the residual.
 * @param residualGram residual · image
 * @returns whether the step could be taken: rounding alone can make the curvature along it vanish
 */
export function takeInnerStep(
  column: RowSpaceColumn,
  residualGram: number,
  { share, intercept, extraEnergy, corrections }: Preconditioned,
): boolean {
  const { direction, directionImage, step, stepImage, residual, image, curvature } = column;
  const count = residual.length;
  const energy = share * residualGram + extraEnergy;
  const keep = column.innerSteps === 0 ? 0 : energy / column.residualEnergy;
  const along = intercept + keep * column.interceptDirection;
  column.interceptDirection = along;
  column.residualEnergy = energy;
  let bend = 0;
  let interceptImage = 0;
  for (let i = 0; i < count; i++) {
    let towards = share * residual[i]!;
    let towardsImage = share * image[i]!;
    if (corrections !== null) {
      towards += corrections[i]!;
      towardsImage += corrections[count + i]!;
    }
    if (keep !== 0) {
      towards += keep * direction[i]!;
      towardsImage += keep * directionImage[i]!;
    }
    const curved = curvature[i]! * (towardsImage + along);
    direction[i] = towards;
    directionImage[i] = towardsImage;
    interceptImage += curved;
    bend += towardsImage * (towards + curved);
  }
  bend += along * interceptImage;
  if (!(bend > 0)) return false;
  const length = energy / bend;
  for (let i = 0; i < count; i++) {
    const towards = direction[i]!;
    const towardsImage = directionImage[i]!;
    step[i] = step[i]! + length * towards;
    stepImage[i] = stepImage[i]! + length * towardsImage;
    residual[i] = residual[i]! - length * (towards + curvature[i]! * (towardsImage + along));
  }
  column.interceptStep += length * along;
  column.interceptResidual -= length * interceptImage;
  column.decrement += length * energy;
  column.innerSteps++;
  return true;
}

/**
 * Goes along the Newton step as far as the slope says (all of it, near the optimum) and linearises there.
 * @returns the length taken, 1 for the whole step
 */
export function takeNewtonStep(column: RowSpaceColumn): number {
  const { duals, predictions, step, stepImage, interceptStep } = column;
  const length = searchLine(column);
  column.intercept += length * interceptStep;
  let squares = 0;
  for (let i = 0; i < duals.length; i++) {
    const dual = duals[i]! + length * step[i]!;
    const prediction = predictions[i]! + length * (stepImage[i]! + interceptStep);
    duals[i] = dual;
    predictions[i] = prediction;
    squares += dual * (prediction - column.intercept);
  }
  column.weightNorm = Math.sqrt(Math.max(squares, 0));
  column.newtonSteps++;
  linearise(column);
  return length;
}

/** Share of the initial slope at which the line search is content. */
const SLOPE_SHARE = 0.3;
const MAX_LINE_STEPS = 20;

/** Newton's method in one dimension, kept inside a bracket, on the objective along the step. */
function searchLine(column: RowSpaceColumn): number {
  const { task, predictions, duals, step, stepImage, interceptStep } = column;
  const { outcomes, costs } = task;
  const isLogistic = task.loss === "logistic";
  const weightSlope = dot(duals, stepImage);
  const stepSquared = dot(step, stepImage);
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let length = 1;
  for (let tries = 0; tries < MAX_LINE_STEPS; tries++) {
    let slope = weightSlope + length * stepSquared;
    let bend = stepSquared;
    for (let i = 0; i < costs.length; i++) {
      const change = stepImage[i]! + interceptStep;
      const predicted = predictions[i]! + length * change;
      const fitted = isLogistic ? logistic(predicted) : predicted;
      slope += costs[i]! * (fitted - outcomes[i]!) * change;
      bend += costs[i]! * (isLogistic ? fitted * (1 - fitted) : 1) * change * change;
    }
    // conjugate gradients from zero: the slope at length 0 is minus the decrement
    if (Math.abs(slope) <= SLOPE_SHARE * column.decrement) break;
    if (slope > 0) high = length;
    else low = length;
    const next = length - slope / bend;
    if (next > low && next < high) length = next;
    else length = high < Number.POSITIVE_INFINITY ? (low + high) / 2 : 2 * length;
  }
  return length;
}
