import { logistic } from "../../math/logistic.ts";
import { dot, sum } from "../../math/vector.ts";

/** What a regression minimises at each row: log loss of a 0/1 outcome, or half the squared error of any number. */
type Loss = "logistic" | "squared";

/**
 * One regression: min over w, b of ½||w||² + Σ_i costs_i loss(outcomes_i, z_i·w + b), the intercept unpenalised.
 */
export interface RegressionTask {
  readonly loss: Loss;
  /** [n] */
  readonly outcomes: ArrayLike<number>;
  /** [n] C times the row's weight, >= 0. */
  readonly costs: Float64Array;
}

/**
 * A regression on its way to its optimum by Newton's method, each linear system solved by conjugate gradients. Its
 * weights are w = Z^T u for the duals u, and the inner product of duals is that of their weights, <u, v> = u·K v
 * with the Gram matrix K = Z Z^T. Every vector is [n]; `gramX` is K X.
 */
export interface Regression {
  readonly task: RegressionTask;
  readonly costSum: number;
  readonly duals: Float64Array;
  intercept: number;
  /** K u + b */
  readonly predictions: Float64Array;
  /** Minus the gradient at first, then what the inner solve has left of it. */
  readonly residual: Float64Array;
  interceptResidual: number;
  /** K residual */
  readonly gramResidual: Float64Array;
  /** Second derivative of the loss at each row. */
  readonly curvature: Float64Array;
  curvatureSum: number;
  readonly direction: Float64Array;
  readonly gramDirection: Float64Array;
  interceptDirection: number;
  readonly step: Float64Array;
  readonly gramStep: Float64Array;
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

/** Vectors [n] of a regression. */
export const VECTORS_PER_REGRESSION = 9;

/**
 * A regression at w = 0 with the intercept that is best there.
 * @param memory [9n] for its vectors, whatever is in it
 */
export function startRegression(task: RegressionTask, memory: Float64Array): Regression {
  const { outcomes, costs } = task;
  const count = outcomes.length;
  let used = 0;
  const rows = (): Float64Array => {
    used += count;
    return memory.subarray(used - count, used);
  };
  const intercept = bestConstant(task);
  const regression: Regression = {
    task,
    costSum: sum(costs),
    duals: rows().fill(0),
    intercept,
    predictions: rows().fill(intercept),
    residual: rows(),
    interceptResidual: 0,
    gramResidual: rows(),
    curvature: rows(),
    curvatureSum: 0,
    direction: rows(),
    gramDirection: rows(),
    interceptDirection: 0,
    step: rows(),
    gramStep: rows(),
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
  linearise(regression);
  return regression;
}

function bestConstant({ loss, outcomes, costs }: RegressionTask): number {
  let weighted = 0;
  let total = 0;
  for (let i = 0; i < costs.length; i++) {
    weighted += costs[i]! * outcomes[i]!;
    total += costs[i]!;
  }
  return loss === "logistic" ? Math.log(weighted / (total - weighted)) : weighted / total;
}

/** Refreshes what depends on the predictions: residual (the gradient's opposite, as duals) and curvature. */
export function linearise(regression: Regression): void {
  const { task, predictions, duals, residual, curvature } = regression;
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
  regression.interceptResidual = pull;
  regression.curvatureSum = curvatureSum;
}

/** Begins the inner solve at a zero step, with the residual as it is. */
export function beginInnerSolve(regression: Regression, residualNorm: number): void {
  regression.step.fill(0);
  regression.gramStep.fill(0);
  regression.interceptStep = 0;
  regression.startNorm = residualNorm;
  regression.decrement = 0;
  regression.residualEnergy = 0;
  regression.innerSteps = 0;
  regression.bestInnerNorm = residualNorm;
  regression.stalledInnerSteps = 0;
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
 * One conjugate-gradient step on (I + W K) step = residual, with a fresh K residual.
 * @param residualGram residual · K residual
 * @returns whether the step could be taken: rounding alone can make the curvature along it vanish
 */
export function takeInnerStep(
  regression: Regression,
  residualGram: number,
  { share, intercept, extraEnergy, corrections }: Preconditioned,
): boolean {
  const { direction, gramDirection, step, gramStep, residual, gramResidual, curvature } = regression;
  const count = residual.length;
  const energy = share * residualGram + extraEnergy;
  const keep = regression.innerSteps === 0 ? 0 : energy / regression.residualEnergy;
  const along = intercept + keep * regression.interceptDirection;
  regression.interceptDirection = along;
  regression.residualEnergy = energy;
  let bend = 0;
  let interceptBend = 0;
  for (let i = 0; i < count; i++) {
    let towards = share * residual[i]!;
    let gramTowards = share * gramResidual[i]!;
    if (corrections !== null) {
      towards += corrections[i]!;
      gramTowards += corrections[count + i]!;
    }
    if (keep !== 0) {
      towards += keep * direction[i]!;
      gramTowards += keep * gramDirection[i]!;
    }
    const curved = curvature[i]! * (gramTowards + along);
    direction[i] = towards;
    gramDirection[i] = gramTowards;
    interceptBend += curved;
    bend += gramTowards * (towards + curved);
  }
  bend += along * interceptBend;
  if (!(bend > 0)) return false;
  const length = energy / bend;
  for (let i = 0; i < count; i++) {
    const towards = direction[i]!;
    const gramTowards = gramDirection[i]!;
    step[i] = step[i]! + length * towards;
    gramStep[i] = gramStep[i]! + length * gramTowards;
    residual[i] = residual[i]! - length * (towards + curvature[i]! * (gramTowards + along));
  }
  regression.interceptStep += length * along;
  regression.interceptResidual -= length * interceptBend;
  regression.decrement += length * energy;
  regression.innerSteps++;
  return true;
}

/**
 * Goes along the Newton step as far as the slope says (all of it, near the optimum) and linearises there.
 * @returns the length taken, 1 for the whole step
 */
export function takeNewtonStep(regression: Regression): number {
  const { duals, predictions, step, gramStep, interceptStep } = regression;
  const length = searchLine(regression);
  regression.intercept += length * interceptStep;
  let squares = 0;
  for (let i = 0; i < duals.length; i++) {
    const dual = duals[i]! + length * step[i]!;
    const prediction = predictions[i]! + length * (gramStep[i]! + interceptStep);
    duals[i] = dual;
    predictions[i] = prediction;
    squares += dual * (prediction - regression.intercept);
  }
  regression.weightNorm = Math.sqrt(Math.max(squares, 0));
  regression.newtonSteps++;
  linearise(regression);
  return length;
}

/** Share of the initial slope at which the line search is content. */
const SLOPE_SHARE = 0.3;
const MAX_LINE_STEPS = 20;

/** Newton's method in one dimension, kept inside a bracket, on the objective along the step. */
function searchLine(regression: Regression): number {
  const { task, predictions, duals, step, gramStep, interceptStep } = regression;
  const { outcomes, costs } = task;
  const isLogistic = task.loss === "logistic";
  const weightSlope = dot(duals, gramStep);
  const stepSquared = dot(step, gramStep);
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let length = 1;
  for (let tries = 0; tries < MAX_LINE_STEPS; tries++) {
    let slope = weightSlope + length * stepSquared;
    let bend = stepSquared;
    for (let i = 0; i < costs.length; i++) {
      const change = gramStep[i]! + interceptStep;
      const predicted = predictions[i]! + length * change;
      const fitted = isLogistic ? logistic(predicted) : predicted;
      slope += costs[i]! * (fitted - outcomes[i]!) * change;
      bend += costs[i]! * (isLogistic ? fitted * (1 - fitted) : 1) * change * change;
    }
    // conjugate gradients from zero: the slope at length 0 is minus the decrement
    if (Math.abs(slope) <= SLOPE_SHARE * regression.decrement) break;
    if (slope > 0) high = length;
    else low = length;
    const next = length - slope / bend;
    if (next > low && next < high) length = next;
    else length = high < Number.POSITIVE_INFINITY ? (low + high) / 2 : 2 * length;
  }
  return length;
}
