import { dot } from "../../math/vector.ts";
import type { DesignMatrix, ExactProducts } from "../design-matrix.ts";
import { createScratch, type Scratch } from "../products/scratch.ts";
import { createBalancedPasses, type Passes } from "./passes.ts";
import {
  beginInnerSolve,
  linearise,
  type Preconditioned,
  type Regression,
  type RegressionTask,
  startRegression,
  takeInnerStep,
  takeNewtonStep,
  VECTORS_PER_REGRESSION,
} from "./regression.ts";

/** A fitted regression. */
interface RegressionFit {
  /** [d] */
  readonly weights: Float64Array;
  readonly intercept: number;
  /** Gradient's norm over the weights' norm where it was last taken: a bound of the weights' relative error. */
  readonly relativeError: number;
  readonly converged: boolean;
  readonly newtonSteps: number;
}

interface SolveRegressionsOptions {
  /** Bound on the relative error of the weights. */
  readonly tolerance: number;
  /** On this design; null for plain ones. */
  readonly passes?: Passes | null;
  /** Not shared with another running solve. */
  readonly scratch?: Scratch | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Relative error that float32 products reach on any data worth fitting; below it, gradients are computed in float64. */
const FLOAT32_TOLERANCE = 1e-4;

/**
 * Fits many regressions on one design at once. Each pass over the matrix serves all unfinished regressions, whatever
 * their phase. All start from zero: starting at the optimum of another penalty or fold takes more passes, not fewer, as
 * measured.
 * @returns one fit per task
 * @see Lin, Weng, Keerthi 2008, "Trust region Newton method for logistic regression", for the method
 */
export async function solveRegressions(
  design: DesignMatrix,
  tasks: readonly RegressionTask[],
  { tolerance, passes: given = null, scratch = createScratch(), signal }: SolveRegressionsOptions,
): Promise<RegressionFit[]> {
  const passes = given ?? createBalancedPasses(design, scratch);
  const exact = tolerance < FLOAT32_TOLERANCE ? design.exact : null;
  const accuracy: Accuracy = { tolerance, isExact: exact !== null };
  const size = VECTORS_PER_REGRESSION * design.rowCount;
  const memory = scratch.takeDoubles("regressions", tasks.length * size);
  const all = tasks.map((task, a) =>
    createSearch(startRegression(task, memory.subarray(a * size, (a + 1) * size)), accuracy),
  );
  for (
    let left: readonly Search[] = all;
    left.length > 0;
    left = left.filter(({ phase }) => phase !== "done")
  ) {
    signal?.throwIfAborted();
    const active = left.filter(({ phase }) => phase !== "exact");
    if (active.length === 0) {
      takeExactGradients(left, exact!);
      continue;
    }
    const preconditioned = await passes.take(
      active.map(({ regression }) => regression),
      exact === null ? null : (products) => replaceProducts(active, products, exact),
    );
    active.forEach((search, a) => {
      advance(search, preconditioned[a]!);
    });
  }
  const duals = all.map(({ regression }) => regression.duals);
  const weights = exact === null ? await design.combine(duals) : all.map((search) => search.weights!);
  return all.map(({ regression, converged }, a) => ({
    weights: weights[a]!,
    intercept: regression.intercept,
    relativeError: regression.weightNorm > 0 ? regression.gradientNorm / regression.weightNorm : 0,
    converged,
    newtonSteps: regression.newtonSteps,
  }));
}

/** Replaces K residual of regressions that no longer trust fast products. @param products [active, n] */
function replaceProducts(
  active: readonly Search[],
  products: Float32Array,
  { combine, predict }: ExactProducts,
): void {
  const distrustful = active.filter(({ precision }) => precision === "exact");
  if (distrustful.length === 0) return;
  const exact = predict(combine(distrustful.map(({ regression }) => regression.residual)));
  for (const [a, search] of distrustful.entries()) {
    const { gramResidual } = search.regression;
    gramResidual.set(exact[a]!);
    products.set(gramResidual, active.indexOf(search) * gramResidual.length);
  }
}

/** A regression and how far its search for the optimum has come. */
interface Search {
  readonly regression: Regression;
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

/** When a search ends. */
interface Accuracy {
  /** Bound on the relative error of the weights. */
  readonly tolerance: number;
  /** Whether the end is where an exact gradient says so; else, where a step's size does. */
  readonly isExact: boolean;
}

const createSearch = (regression: Regression, accuracy: Accuracy): Search => ({
  regression,
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

/** Takes one step with a fresh K residual. */
function advance(search: Search, preconditioned: Preconditioned): void {
  const { regression, accuracy, precision } = search;
  const residualGram = Math.max(dot(regression.residual, regression.gramResidual), 0); // rounding
  const norm = Math.sqrt(residualGram + regression.interceptResidual ** 2);
  if (search.phase === "gradient" && !takeGradient(search, norm)) return;
  const forcing = precision === "fast" ? FORCING : EXACT_FORCING;
  const wanted = Math.max(forcing * regression.startNorm, 0.5 * accuracy.tolerance * regression.weightNorm);
  regression.stalledInnerSteps = norm < 0.9 * regression.bestInnerNorm ? 0 : regression.stalledInnerSteps + 1;
  regression.bestInnerNorm = Math.min(norm, regression.bestInnerNorm);
  const isLast =
    regression.innerSteps > 0 &&
    (norm <= wanted ||
      regression.innerSteps >= (search.isWhole ? MAX_INNER_STEPS : MAX_FAR_INNER_STEPS) ||
      regression.stalledInnerSteps >= STALLED_INNER_STEPS);
  const moved = takeInnerStep(regression, residualGram, preconditioned);
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
  const { regression } = search;
  regression.gradientNorm = norm;
  const floor = ROUNDING * regression.costSum;
  const { decrement } = regression;
  const isFar = decrement > (FAR * regression.weightNorm) ** 2;
  const isBetter = norm < search.bestNorm || decrement < search.bestDecrement;
  search.stalledSteps = isFar || isBetter ? 0 : search.stalledSteps + 1;
  search.bestNorm = Math.min(norm, search.bestNorm);
  if (regression.newtonSteps > 0) search.bestDecrement = Math.min(decrement, search.bestDecrement);
  const isSmall = norm <= goalOf(search) * regression.weightNorm + floor;
  const isStuck = regression.newtonSteps >= MAX_NEWTON_STEPS || search.stalledSteps >= STALLED_STEPS;
  if (isSmall || isStuck) {
    reachGoal(search, isSmall);
    return false;
  }
  beginInnerSolve(regression, norm);
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
    search.regression.gradientNorm = Number.POSITIVE_INFINITY;
  } else {
    search.phase = "done";
    search.converged = converged;
  }
}

/** Recomputes predictions and gradients with exact products, which removes the rounding errors of earlier ones. */
function takeExactGradients(searches: readonly Search[], { combine, predict }: ExactProducts): void {
  const weights = combine(searches.map(({ regression }) => regression.duals));
  const predictions = predict(weights);
  searches.forEach((search, a) => {
    const { regression } = search;
    search.weights = weights[a]!;
    regression.weightNorm = Math.sqrt(dot(weights[a]!, weights[a]!));
    regression.predictions.set(predictions[a]!.map((prediction) => prediction + regression.intercept));
    linearise(regression);
  });
  const gradients = combine(searches.map(({ regression }) => regression.residual));
  searches.forEach((search, a) => {
    const { regression } = search;
    const before = regression.gradientNorm;
    const gradient = gradients[a]!;
    takeGradient(search, Math.sqrt(dot(gradient, gradient) + regression.interceptResidual ** 2));
    if (regression.gradientNorm > SPOILT_BY_ROUNDING * before) search.precision = "exact";
  });
}

function finishNewtonStep(search: Search): void {
  const { regression, precision } = search;
  const left = LEFT_BY_STEP * Math.sqrt(regression.decrement);
  const length = takeNewtonStep(regression);
  // Near the optimum the next gradient would only confirm what the step's own size says already.
  search.isWhole = Math.abs(length - 1) < 0.3;
  if (precision !== "fast") search.phase = "exact";
  else if (search.isWhole && left <= goalOf(search) * regression.weightNorm) {
    regression.gradientNorm = left;
    reachGoal(search, true);
  } else search.phase = "gradient";
}
