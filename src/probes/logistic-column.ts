import { logistic } from "../math/logistic.ts";
import { addScaled, dot } from "../math/vector.ts";

/** Share of the gradient's norm that the inner conjugate gradients leave; less costs more inner steps. */
const FORCING = 0.3;
/** Share of the initial slope at which the line search is content. */
const SLOPE_SHARE = 0.3;
const MAX_LINE_STEPS = 20;
/** Inner steps before the direction is taken as it is; it is a descent direction at any count. */
const MAX_INNER_STEPS = 500;
/** Newton steps without a smaller gradient after which rounding, not the method, is the limit. */
const STALLED_STEPS = 5;

/**
 * One regression on its way to its optimum, by Newton's method whose linear systems are solved by conjugate
 * gradients. It never touches the design matrix itself: it asks for products, so many columns share them.
 * Vectors: [d] weights, gradient, step, residual, direction; [n] predictions and the like.
 */
export interface LogisticColumnState {
  readonly labels: ArrayLike<number>;
  /** [n] C times the row's weight. */
  readonly costs: Float64Array;
  readonly weights: Float64Array;
  intercept: number;
  /** [n] Z w + b */
  readonly predictions: Float64Array;
  /** [n] what the next Z^T product is wanted of: cost-weighted label residuals, or the curvature of a direction. */
  readonly backward: Float64Array;
  /** [n] second derivative of the loss at each row. */
  readonly curvature: Float64Array;
  curvatureSum: number;
  readonly gradient: Float64Array;
  interceptGradient: number;
  readonly step: Float64Array;
  readonly stepPredictions: Float64Array;
  interceptStep: number;
  readonly residual: Float64Array;
  interceptResidual: number;
  readonly direction: Float64Array;
  interceptDirection: number;
  /** [n] Z times direction, as asked for. */
  readonly directionPredictions: Float64Array;
  /** [d] Z^T backward, as asked for. */
  readonly product: Float64Array;
  residualNorm: number;
  gradientNorm: number;
  bestGradientNorm: number;
  stalledSteps: number;
  innerSteps: number;
  newtonSteps: number;
  phase: "gradient" | "inner" | "converged" | "stopped";
}

/** A column at w = 0 with the intercept at the weighted log-odds; it first wants a gradient. */
export function startColumn(
  labels: ArrayLike<number>,
  costs: Float64Array,
  width: number,
): LogisticColumnState {
  const rowCount = labels.length;
  let positive = 0;
  let total = 0;
  for (let i = 0; i < rowCount; i++) {
    total += costs[i]!;
    if (labels[i] === 1) positive += costs[i]!;
  }
  const intercept = Math.log(positive / (total - positive));
  const rows = (): Float64Array => new Float64Array(rowCount);
  const features = (): Float64Array => new Float64Array(width);
  const column: LogisticColumnState = {
    labels,
    costs,
    weights: features(),
    intercept,
    predictions: rows().fill(intercept),
    backward: rows(),
    curvature: rows(),
    curvatureSum: 0,
    gradient: features(),
    interceptGradient: 0,
    step: features(),
    stepPredictions: rows(),
    interceptStep: 0,
    residual: features(),
    interceptResidual: 0,
    direction: features(),
    interceptDirection: 0,
    directionPredictions: rows(),
    product: features(),
    residualNorm: 0,
    gradientNorm: Number.POSITIVE_INFINITY,
    bestGradientNorm: Number.POSITIVE_INFINITY,
    stalledSteps: 0,
    innerSteps: 0,
    newtonSteps: 0,
    phase: "gradient",
  };
  linearise(column);
  return column;
}

/** Makes `backward` from the fresh `directionPredictions`: D (Z p + p_b). */
export function weighDirection(column: LogisticColumnState): void {
  const { backward, curvature, directionPredictions, interceptDirection } = column;
  for (let i = 0; i < backward.length; i++) {
    backward[i] = curvature[i]! * (directionPredictions[i]! + interceptDirection);
  }
}

/**
 * Takes the gradient from the fresh `product`, and stops or begins the inner solve.
 * @param tolerance stop at ||gradient|| <= tolerance ||w||: the objective is 1-strongly convex in w, so this
 * bounds the relative error of w
 */
export function takeGradient(column: LogisticColumnState, tolerance: number, maxNewtonSteps: number): void {
  const { weights, gradient, product, residual, step, stepPredictions, direction } = column;
  for (let j = 0; j < gradient.length; j++) gradient[j] = weights[j]! - product[j]!;
  const norm = Math.sqrt(dot(gradient, gradient) + column.interceptGradient ** 2);
  column.gradientNorm = norm;
  column.stalledSteps = norm < column.bestGradientNorm ? 0 : column.stalledSteps + 1;
  column.bestGradientNorm = Math.min(norm, column.bestGradientNorm);
  if (norm <= tolerance * Math.sqrt(dot(weights, weights))) {
    column.phase = "converged";
    return;
  }
  if (column.newtonSteps >= maxNewtonSteps || column.stalledSteps >= STALLED_STEPS) {
    column.phase = "stopped";
    return;
  }
  for (let j = 0; j < gradient.length; j++) residual[j] = -gradient[j]!;
  direction.set(residual);
  step.fill(0);
  stepPredictions.fill(0);
  column.interceptStep = 0;
  column.interceptResidual = -column.interceptGradient;
  column.interceptDirection = column.interceptResidual * interceptPreconditioner(column);
  column.residualNorm = preconditionedNorm(column);
  column.innerSteps = 0;
  column.phase = "inner";
}

/** One conjugate-gradient step with the fresh `product` = Z^T D (Z p + p_b); at its end, the Newton step. */
export function takeInnerStep(column: LogisticColumnState): void {
  const { direction, product, backward, residual, step, stepPredictions, directionPredictions } = column;
  let interceptImage = 0;
  for (let i = 0; i < backward.length; i++) interceptImage += backward[i]!;
  for (let j = 0; j < product.length; j++) product[j] = product[j]! + direction[j]!; // the Hessian's image
  const bend = dot(direction, product) + column.interceptDirection * interceptImage;
  if (!(bend > 0)) {
    finishNewtonStep(column); // only rounding can do this: the Hessian is positive definite
    return;
  }
  const length = column.residualNorm / bend;
  addScaled(step, length, direction);
  addScaled(stepPredictions, length, directionPredictions);
  addScaled(residual, -length, product);
  column.interceptStep += length * column.interceptDirection;
  column.interceptResidual -= length * interceptImage;
  column.innerSteps++;
  const norm = Math.sqrt(dot(residual, residual) + column.interceptResidual ** 2);
  if (norm <= FORCING * column.gradientNorm || column.innerSteps >= MAX_INNER_STEPS) {
    finishNewtonStep(column);
    return;
  }
  const before = column.residualNorm;
  column.residualNorm = preconditionedNorm(column);
  const keep = column.residualNorm / before;
  for (let j = 0; j < direction.length; j++) direction[j] = residual[j]! + keep * direction[j]!;
  column.interceptDirection =
    column.interceptResidual * interceptPreconditioner(column) + keep * column.interceptDirection;
}

/**
 * Features are standardised, so each has a Hessian diagonal near 1 + sum D, the unpenalised intercept sum D:
 * far smaller when C is small. Weighing it by their ratio puts all on one scale.
 */
const interceptPreconditioner = ({ curvatureSum }: LogisticColumnState): number =>
  (1 + curvatureSum) / (curvatureSum + Number.MIN_VALUE);

const preconditionedNorm = (column: LogisticColumnState): number =>
  dot(column.residual, column.residual) + column.interceptResidual ** 2 * interceptPreconditioner(column);

/** Goes along the step as far as the slope says (all of it, near the optimum), and wants the next gradient. */
function finishNewtonStep(column: LogisticColumnState): void {
  const length = searchLine(column);
  addScaled(column.weights, length, column.step);
  addScaled(column.predictions, length, column.stepPredictions);
  const interceptChange = length * column.interceptStep;
  column.intercept += interceptChange;
  for (let i = 0; i < column.predictions.length; i++) {
    column.predictions[i] = column.predictions[i]! + interceptChange;
  }
  column.newtonSteps++;
  linearise(column);
  column.phase = "gradient";
}

/** Newton's method in one dimension, kept inside a bracket, on the objective along the step. */
function searchLine(column: LogisticColumnState): number {
  const { labels, costs, predictions, stepPredictions, interceptStep, weights, step } = column;
  const weightsSlope = dot(weights, step);
  const stepSquared = dot(step, step);
  const initialSlope = Math.abs(dot(column.gradient, step) + column.interceptGradient * interceptStep);
  let low = 0;
  let high = Number.POSITIVE_INFINITY;
  let length = 1;
  for (let tries = 0; tries < MAX_LINE_STEPS; tries++) {
    let slope = weightsSlope + length * stepSquared;
    let bend = stepSquared;
    for (let i = 0; i < predictions.length; i++) {
      const change = stepPredictions[i]! + interceptStep;
      const probability = logistic(predictions[i]! + length * change);
      slope += costs[i]! * (probability - labels[i]!) * change;
      bend += costs[i]! * probability * (1 - probability) * change * change;
    }
    if (Math.abs(slope) <= SLOPE_SHARE * initialSlope) break;
    if (slope > 0) high = length;
    else low = length;
    const next = length - slope / bend;
    length =
      next > low && next < high ? next : high < Number.POSITIVE_INFINITY ? (low + high) / 2 : 2 * length;
  }
  return length;
}

/** Refreshes what depends on the predictions: label residuals, curvature and the intercept's gradient. */
function linearise(column: LogisticColumnState): void {
  const { labels, costs, predictions, backward, curvature } = column;
  let residualSum = 0;
  let curvatureSum = 0;
  for (let i = 0; i < predictions.length; i++) {
    const probability = logistic(predictions[i]!);
    const residual = costs[i]! * (labels[i]! - probability);
    const bend = costs[i]! * probability * (1 - probability);
    backward[i] = residual;
    curvature[i] = bend;
    residualSum += residual;
    curvatureSum += bend;
  }
  column.interceptGradient = -residualSum;
  column.curvatureSum = curvatureSum;
}
