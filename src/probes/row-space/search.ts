import { dot } from "../../math/vector.ts";
import type { ExactProducts } from "../products/exact-products.ts";
import { beginInnerSolve, linearise, type RowSpaceColumn, takeInnerStep, takeNewtonStep } from "./column.ts";
import type { Preconditioned } from "./passes.ts";

/** A column with where it is on its way to its optimum. */
export interface Search {
  readonly column: RowSpaceColumn;
  readonly accuracy: Accuracy;
  /** `exact`: its gradient is to be taken with exact products. */
  phase: "gradient" | "inner" | "exact" | "done";
  /** How far products can be trusted: `exact` where fast ones no longer bring the exact gradient down. */
  precision: "fast" | "fast between exact gradients" | "exact";
  /** [d] where the last exact gradient was taken; null before the first. */
  weights: Float64Array | null;
  /** Whether the last Newton step could be taken whole. */
  isWhole: boolean;
  converged: boolean;
  bestNorm: number;
  bestDecrement: number;
  stalledSteps: number;
}

/** When a search is at its end. */
export interface Accuracy {
  /** Bound on the relative error of the weights. */
  readonly tolerance: number;
  /** Whether the end is where an exact gradient says so; else, where a step's size does. */
  readonly isExact: boolean;
}

export const createSearch = (column: RowSpaceColumn, accuracy: Accuracy): Search => ({
  column,
  accuracy,
  phase: "gradient",
  precision: "fast",
  weights: null,
  isWhole: false,
  converged: false,
  bestNorm: Number.POSITIVE_INFINITY,
  bestDecrement: Number.POSITIVE_INFINITY,
  stalledSteps: 0,
});

/** Share of the gradient's norm that an inner solve leaves; less costs more inner steps than it saves outer ones. */
const FORCING = 0.3;
/** The same once gradients are exact: each one costs many inner steps. */
const EXACT_FORCING = 1e-4;
/** Relative error at which fast products hand over to exact gradients. */
const HAND_OVER = 5e-4;
/** An inner solve that leaves more than this of an exact gradient was stopped by the error of its products. */
const SPOILT_BY_ROUNDING = 0.1;
/** What is left after a whole Newton step, as a share of the step's length in the Hessian's norm. */
const LEFT_BY_STEP = 0.5;
const MAX_NEWTON_STEPS = 200;
/** Inner steps before the direction is taken as it is; it is a descent direction at any count. */
const MAX_INNER_STEPS = 500;
/** The same where steps are not taken whole: the line search would undo what more of them refine. */
const MAX_FAR_INNER_STEPS = 8;
/** Inner steps without progress, after which rounding, not the method, is the limit. */
const STALLED_INNER_STEPS = 40;
/** A step as long as this share of the weights lowers the objective, if not always the gradient. */
const FAR = 0.1;
/** The same for steps in a row, not far, after which neither the gradient nor what they gained is the smallest so far. */
const STALLED_STEPS = 5;
/** Residuals of intercepts at their optimum, relative to the sum of the costs. */
const ROUNDING = 1e-13;

/** Takes one step with the fresh image K residual. */
export function advance(search: Search, preconditioned: Preconditioned): void {
  const { column, accuracy, precision } = search;
  const residualGram = Math.max(dot(column.residual, column.image), 0); // rounding
  const norm = Math.sqrt(residualGram + column.interceptResidual ** 2);
  if (search.phase === "gradient" && !takeGradient(search, norm)) return;
  const forcing = precision === "fast" ? FORCING : EXACT_FORCING;
  const wanted = Math.max(forcing * column.startNorm, 0.5 * accuracy.tolerance * column.weightNorm);
  column.stalledInnerSteps = norm < 0.9 * column.bestInnerNorm ? 0 : column.stalledInnerSteps + 1;
  column.bestInnerNorm = Math.min(norm, column.bestInnerNorm);
  const isLast =
    column.innerSteps > 0 &&
    (norm <= wanted ||
      column.innerSteps >= (search.isWhole ? MAX_INNER_STEPS : MAX_FAR_INNER_STEPS) ||
      column.stalledInnerSteps >= STALLED_INNER_STEPS);
  const moved = takeInnerStep(column, residualGram, preconditioned);
  if (isLast || !moved) finishNewtonStep(search);
}

/** Relative error of the weights at which the products in use have done what they can or need to. */
const goalOf = ({ precision, accuracy: { tolerance, isExact } }: Search): number =>
  precision === "fast" && isExact ? HAND_OVER : tolerance;

/**
 * Stops, hands over to exact gradients, or begins an inner solve, by the norm of a fresh gradient.
 * @returns whether there is something to solve
 */
function takeGradient(search: Search, norm: number): boolean {
  const { column } = search;
  column.gradientNorm = norm;
  const floor = ROUNDING * column.costSum;
  const { decrement } = column;
  const isFar = decrement > (FAR * column.weightNorm) ** 2;
  const isBetter = norm < search.bestNorm || decrement < search.bestDecrement;
  search.stalledSteps = isFar || isBetter ? 0 : search.stalledSteps + 1;
  search.bestNorm = Math.min(norm, search.bestNorm);
  if (column.newtonSteps > 0) search.bestDecrement = Math.min(decrement, search.bestDecrement);
  const isSmall = norm <= goalOf(search) * column.weightNorm + floor;
  const isStuck = column.newtonSteps >= MAX_NEWTON_STEPS || search.stalledSteps >= STALLED_STEPS;
  if (isSmall || isStuck) {
    reachGoal(search, isSmall);
    return false;
  }
  beginInnerSolve(column, norm);
  search.phase = "inner";
  return true;
}

/** Ends the search, or its part with fast products. */
function reachGoal(search: Search, converged: boolean): void {
  if (search.precision === "fast" && search.accuracy.isExact) {
    search.precision = "fast between exact gradients";
    search.phase = "exact";
    search.bestNorm = Number.POSITIVE_INFINITY;
    search.bestDecrement = Number.POSITIVE_INFINITY;
    search.stalledSteps = 0;
    search.column.gradientNorm = Number.POSITIVE_INFINITY;
  } else {
    search.phase = "done";
    search.converged = converged;
  }
}

/** Takes predictions and gradients anew with exact products, so that no rounding of earlier ones is left in them. */
export function takeExactGradients(searches: readonly Search[], { combine, predict }: ExactProducts): void {
  const weights = combine(searches.map(({ column }) => column.duals));
  const predictions = predict(weights);
  searches.forEach((search, a) => {
    const { column } = search;
    search.weights = weights[a]!;
    column.weightNorm = Math.sqrt(dot(weights[a]!, weights[a]!));
    column.predictions.set(predictions[a]!.map((prediction) => prediction + column.intercept));
    linearise(column);
  });
  const gradients = combine(searches.map(({ column }) => column.residual));
  searches.forEach((search, a) => {
    const { column } = search;
    const before = column.gradientNorm;
    const gradient = gradients[a]!;
    takeGradient(search, Math.sqrt(dot(gradient, gradient) + column.interceptResidual ** 2));
    if (column.gradientNorm > SPOILT_BY_ROUNDING * before) search.precision = "exact";
  });
}

function finishNewtonStep(search: Search): void {
  const { column, precision } = search;
  const left = LEFT_BY_STEP * Math.sqrt(column.decrement);
  const length = takeNewtonStep(column);
  // Near the optimum the next gradient would only confirm what the step's own size says already.
  search.isWhole = Math.abs(length - 1) < 0.3;
  if (precision !== "fast") search.phase = "exact";
  else if (search.isWhole && left <= goalOf(search) * column.weightNorm) {
    column.gradientNorm = left;
    reachGoal(search, true);
  } else search.phase = "gradient";
}
