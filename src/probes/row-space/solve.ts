import { dot } from "../../math/vector.ts";
import type { DesignMatrix, ExactProducts } from "../design-matrix.ts";
import {
  beginInnerSolve,
  linearise,
  type RowSpaceColumn,
  type RowSpaceTask,
  startColumn,
  takeInnerStep,
  takeNewtonStep,
} from "./column.ts";
import { balanceIntercept, type Preconditioned, type Preconditioner } from "./preconditioner.ts";

/** A fitted regression in the row space: w = Z^T duals. */
export interface RowSpaceFit {
  /** [n] */
  readonly duals: Float64Array;
  readonly intercept: number;
  /** Gradient's norm over the weights' norm where it was last taken: a bound of the weights' relative error. */
  readonly relativeError: number;
  readonly converged: boolean;
  readonly newtonSteps: number;
}

export interface SolveRowSpaceOptions {
  /** Bound on the relative error of the weights. */
  readonly tolerance: number;
  readonly preconditioner?: Preconditioner | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Share of the gradient's norm that an inner solve leaves; less costs more inner steps than it saves outer ones. */
const FORCING = 0.3;
/** The same once gradients are exact: each one costs many inner steps. */
const EXACT_FORCING = 1e-4;
/** Where float32 products hand over to exact gradients. */
const HAND_OVER = 5e-4;
/** Relative error that float32 products reach on any data worth fitting; below it, gradients are taken in float64. */
const FLOAT32_TOLERANCE = 1e-4;
/** What is left after a whole Newton step, as a share of the step's length in the Hessian's norm. */
const LEFT_BY_STEP = 0.5;
const MAX_NEWTON_STEPS = 200;
/** Inner steps before the direction is taken as it is; it is a descent direction at any count. */
const MAX_INNER_STEPS = 500;
/** Gradients in a row that are no smaller than the best one, after which rounding, not the method, is the limit. */
const STALLED_STEPS = 5;
/** Residuals of intercepts at their optimum, relative to the sum of the costs. */
const ROUNDING = 1e-13;

/**
 * Fits many regressions on one design at once. Each pass over the matrix serves all columns still at work, whatever
 * they are at; all start from zero, since a start at another penalty's or fold's optimum was measured to take more
 * passes, not fewer.
 * @returns one fit a task
 * @see Lin, Weng, Keerthi 2008, "Trust region Newton method for logistic regression", for the method
 */
export async function solveRowSpace(
  design: DesignMatrix,
  tasks: readonly RowSpaceTask[],
  { tolerance, preconditioner = balanceIntercept, signal }: SolveRowSpaceOptions,
): Promise<RowSpaceFit[]> {
  const exact = tolerance < FLOAT32_TOLERANCE ? design.exact : null;
  const all = tasks.map((task) => createSearch(startColumn(task), tolerance, exact));
  const vectors = new Float32Array(all.length * design.rowCount);
  const images = new Float32Array(all.length * design.rowCount);
  for (let active = all; active.length > 0; active = active.filter(({ phase }) => phase !== "done")) {
    signal?.throwIfAborted();
    active.forEach(({ column }, a) => {
      vectors.set(column.residual, a * design.rowCount);
    });
    await design.applyGram(vectors, active.length, images);
    const preconditioned = await preconditioner(
      active.map(({ column }) => column),
      vectors,
    );
    active.forEach((search, a) => {
      advance(search, images, active.length, a, preconditioned[a]!);
    });
  }
  return all.map(({ column, converged }) => ({
    duals: column.duals,
    intercept: column.intercept,
    relativeError: column.weightNorm > 0 ? column.gradientNorm / column.weightNorm : 0,
    converged,
    newtonSteps: column.newtonSteps,
  }));
}

/** A column with where it is on its way. */
interface Search {
  readonly column: RowSpaceColumn;
  readonly tolerance: number;
  /** Gradients are exact from the moment that float32 ones are small, if this is there. */
  readonly exact: ExactProducts | null;
  phase: "gradient" | "inner" | "done";
  isExact: boolean;
  converged: boolean;
  bestNorm: number;
  stalledSteps: number;
}

const createSearch = (column: RowSpaceColumn, tolerance: number, exact: ExactProducts | null): Search => ({
  column,
  tolerance,
  exact,
  phase: "gradient",
  isExact: false,
  converged: false,
  bestNorm: Number.POSITIVE_INFINITY,
  stalledSteps: 0,
});

/** Takes the fresh product K residual one step further. */
function advance(
  search: Search,
  images: Float32Array,
  stride: number,
  offset: number,
  preconditioned: Preconditioned,
): void {
  const { column } = search;
  let residualGram = 0;
  const { residual } = column;
  for (let i = 0, at = offset; i < residual.length; i++, at += stride) {
    residualGram += residual[i]! * images[at]!;
  }
  residualGram = Math.max(residualGram, 0); // rounding
  const norm = Math.sqrt(residualGram + column.interceptResidual ** 2);
  if (search.phase === "gradient") {
    if (takeGradient(search, norm) === "wait") return;
  }
  const wanted = Math.max(
    (search.isExact ? EXACT_FORCING : FORCING) * column.startNorm,
    0.5 * search.tolerance * column.weightNorm,
  );
  const isLast = column.innerSteps > 0 && (norm <= wanted || column.innerSteps >= MAX_INNER_STEPS);
  const moved = takeInnerStep(column, images, stride, offset, residualGram, preconditioned);
  if (isLast || !moved) finishNewtonStep(search);
}

/**
 * Stops, or begins an inner solve, by the norm of a fresh gradient.
 * @returns "solve" if the product at hand is that of the residual to solve for; else there is nothing to solve, or
 * the gradient was taken again, exactly, and wants a product of its own
 */
function takeGradient(search: Search, norm: number): "solve" | "wait" {
  const { column, tolerance, exact } = search;
  column.gradientNorm = norm;
  const floor = ROUNDING * column.task.costs.reduce((sum, cost) => sum + cost, 0);
  const bound = search.isExact || exact === null ? tolerance : HAND_OVER;
  search.stalledSteps = norm < search.bestNorm ? 0 : search.stalledSteps + 1;
  search.bestNorm = Math.min(norm, search.bestNorm);
  if (norm <= bound * column.weightNorm + floor) {
    if (search.isExact || exact === null) {
      search.phase = "done";
      search.converged = true;
      return "wait";
    }
    search.isExact = true;
    search.bestNorm = Number.POSITIVE_INFINITY;
    takeExactGradient(search, exact);
    return "wait";
  }
  if (column.newtonSteps >= MAX_NEWTON_STEPS || search.stalledSteps >= STALLED_STEPS) {
    search.phase = "done";
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
  const length = takeNewtonStep(column);
  search.phase = "gradient";
  if (search.isExact && exact !== null) {
    takeExactGradient(search, exact);
    return;
  }
  // Near the optimum the next gradient would only confirm what the step's own size says already.
  if (exact === null && Math.abs(length - 1) < 0.3 && left <= tolerance * column.weightNorm) {
    column.gradientNorm = left;
    search.phase = "done";
    search.converged = true;
  }
}
