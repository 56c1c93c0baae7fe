import { dot } from "../../math/vector.ts";
import type { ExactProducts } from "../design-matrix.ts";
import { beginInnerSolve, linearise, type RowSpaceColumn, takeInnerStep, takeNewtonStep } from "./column.ts";
import type { Preconditioned } from "./preconditioner.ts";

/** A column with where it is on its way to its optimum. */
export interface Search {
  readonly column: RowSpaceColumn;
  /** Bound on the relative error of the weights. */
  readonly tolerance: number;
  /** With these, gradients are exact from the moment that float32 ones are small; null for float32 alone. */
  readonly exact: ExactProducts | null;
  phase: "gradient" | "inner" | "done";
  /** How far products can be trusted: `float64` where float32 ones no longer bring the exact gradient down. */
  precision: "float32" | "float32 between exact gradients" | "float64";
  converged: boolean;
  bestNorm: number;
  stalledSteps: number;
}

export const createSearch = (
  column: RowSpaceColumn,
  tolerance: number,
  exact: ExactProducts | null,
): Search => ({
  column,
  tolerance,
  exact,
  phase: "gradient",
  precision: "float32",
  converged: false,
  bestNorm: Number.POSITIVE_INFINITY,
  stalledSteps: 0,
});

/** Share of the gradient's norm that an inner solve leaves; less costs more inner steps than it saves outer ones. */
const FORCING = 0.3;
/** The same once gradients are exact: each one costs many inner steps. */
const EXACT_FORCING = 1e-4;
/** Where float32 products hand over to exact gradients. */
const HAND_OVER = 5e-4;
/** An inner solve that leaves more than this of an exact gradient was stopped by the rounding of its products. */
const SPOILT_BY_ROUNDING = 0.1;
/** What is left after a whole Newton step, as a share of the step's length in the Hessian's norm. */
const LEFT_BY_STEP = 0.5;
const MAX_NEWTON_STEPS = 200;
/** Inner steps before the direction is taken as it is; it is a descent direction at any count. */
const MAX_INNER_STEPS = 500;
/** Inner steps without progress, after which rounding, not the method, is the limit. */
const STALLED_INNER_STEPS = 40;
/** The same for gradients in a row that are no smaller than the best one. */
const STALLED_STEPS = 5;
/** Residuals of intercepts at their optimum, relative to the sum of the costs. */
const ROUNDING = 1e-13;

/**
 * Takes one step with the fresh image K residual.
 * @param offset the column's place among those that were preconditioned together
 */
export function advance(
  search: Search,
  preconditioned: Preconditioned,
  stride: number,
  offset: number,
): void {
  const { column, tolerance, precision } = search;
  const residualGram = Math.max(dot(column.residual, column.image), 0); // rounding
  const norm = Math.sqrt(residualGram + column.interceptResidual ** 2);
  if (search.phase === "gradient" && takeGradient(search, norm) === "wait") return;
  const forcing = precision === "float32" ? FORCING : EXACT_FORCING;
  const wanted = Math.max(forcing * column.startNorm, 0.5 * tolerance * column.weightNorm);
  column.stalledInnerSteps = norm < 0.9 * column.bestInnerNorm ? 0 : column.stalledInnerSteps + 1;
  column.bestInnerNorm = Math.min(norm, column.bestInnerNorm);
  const isLast =
    column.innerSteps > 0 &&
    (norm <= wanted ||
      column.innerSteps >= MAX_INNER_STEPS ||
      column.stalledInnerSteps >= STALLED_INNER_STEPS);
  const moved = takeInnerStep(column, residualGram, preconditioned, stride, offset);
  if (isLast || !moved) finishNewtonStep(search);
}

/**
 * Stops, or begins an inner solve, by the norm of a fresh gradient.
 * @returns "solve" if the image at hand is that of the residual to solve for; else there is nothing to solve, or the
 * gradient was taken again, exactly, and wants an image of its own
 */
function takeGradient(search: Search, norm: number): "solve" | "wait" {
  const { column, tolerance, exact } = search;
  column.gradientNorm = norm;
  const isFirst = exact !== null && search.precision === "float32";
  const floor = ROUNDING * column.task.costs.reduce((sum, cost) => sum + cost, 0);
  search.stalledSteps = norm < search.bestNorm ? 0 : search.stalledSteps + 1;
  search.bestNorm = Math.min(norm, search.bestNorm);
  const isSmall = norm <= (isFirst ? HAND_OVER : tolerance) * column.weightNorm + floor;
  const isStuck = column.newtonSteps >= MAX_NEWTON_STEPS || search.stalledSteps >= STALLED_STEPS;
  if (isFirst && (isSmall || isStuck)) {
    search.precision = "float32 between exact gradients";
    search.bestNorm = Number.POSITIVE_INFINITY;
    search.stalledSteps = 0;
    takeExactGradient(search, exact);
    return "wait";
  }
  if (isSmall || isStuck) {
    search.phase = "done";
    search.converged = isSmall;
    return "wait";
  }
  beginInnerSolve(column, norm);
  search.phase = "inner";
  return "solve";
}

/** Takes predictions and gradient anew in float64, so that no rounding of earlier products is left in them. */
function takeExactGradient(search: Search, { combine, predict }: ExactProducts): void {
  const { column } = search;
  const weights = combine(column.duals);
  column.weightNorm = Math.sqrt(dot(weights, weights));
  column.predictions.set(predict(weights));
  for (let i = 0; i < column.predictions.length; i++) {
    column.predictions[i] = column.predictions[i]! + column.intercept;
  }
  linearise(column);
  const gradient = combine(column.residual);
  takeGradient(search, Math.sqrt(dot(gradient, gradient) + column.interceptResidual ** 2));
}

function finishNewtonStep(search: Search): void {
  const { column, tolerance, exact } = search;
  const left = LEFT_BY_STEP * Math.sqrt(column.decrement);
  const before = column.gradientNorm;
  const length = takeNewtonStep(column);
  search.phase = "gradient";
  if (exact !== null && search.precision !== "float32") {
    takeExactGradient(search, exact);
    if (column.gradientNorm > SPOILT_BY_ROUNDING * before) search.precision = "float64";
    return;
  }
  // Near the optimum the next gradient would only confirm what the step's own size says already.
  if (exact === null && Math.abs(length - 1) < 0.3 && left <= tolerance * column.weightNorm) {
    column.gradientNorm = left;
    search.phase = "done";
    search.converged = true;
  }
}
