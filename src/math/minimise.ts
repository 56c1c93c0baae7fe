import { addScaled, dot } from "./vector.ts";

/** A function's value and gradient at a point. */
export interface Slope {
  readonly value: number;
  /** [d] */
  readonly gradient: Float64Array;
}

/** Where a minimisation ended. */
export interface Minimum {
  /** [d] */
  readonly point: Float64Array;
  readonly value: number;
  /** Euclidean norm of the gradient over that of the point. */
  readonly relativeGradient: number;
  /** Whether that is within the tolerance, or no step was found that lowers the value any further. */
  readonly converged: boolean;
  /** Evaluations. */
  readonly evaluations: number;
}

export interface MinimiseOptions {
  /** Largest norm of the gradient, relative to that of the point. */
  readonly tolerance: number;
  readonly maxEvaluations: number;
  readonly signal?: AbortSignal | undefined;
}

/** Pairs of steps and gradient changes that are remembered. */
const MEMORY = 10;
/** A step has to lower the value by this share of what the slope promises. */
const SUFFICIENT_DECREASE = 1e-4;
/** Pairs with less curvature are left out, relative to the lengths of both. */
const LEAST_CURVATURE = 1e-10;
/** A step is halved so often before a function counts as flat. */
const MOST_HALVINGS = 20;
/** A step that lowers the value by less than this share of it is seen in no score. */
const LEAST_PROGRESS = 1e-9;

/**
 * Minimises many smooth functions side by side by L-BFGS: each asks for one evaluation a round, so that whoever evaluates
 * them can share the work. Deterministic; every function's path is that of minimising it alone.
 * @param starts   [f][d]; are changed
 * @param evaluate values and gradients of some functions, by index, at one point each
 * @see Nocedal and Wright 2006, "Numerical Optimization", algorithms 7.4 and 3.1 (backtracking)
 */
export async function minimiseMany(
  starts: readonly Float64Array[],
  evaluate: (asked: readonly { readonly index: number; readonly point: Float64Array }[]) => Promise<Slope[]>,
  { tolerance, maxEvaluations, signal }: MinimiseOptions,
): Promise<Minimum[]> {
  const searches = starts.map((start, index) => ({ index, search: startSearch(start, tolerance) }));
  for (let round = 0; round < maxEvaluations; round++) {
    signal?.throwIfAborted();
    const active = searches.filter(({ search }) => !search.isDone());
    if (active.length === 0) break;
    const slopes = await evaluate(active.map(({ index, search }) => ({ index, point: search.trial() })));
    for (const [i, { search }] of active.entries()) search.take(slopes[i]!);
  }
  return searches.map(({ search }) => search.result());
}

/** One function's search; it is told the value and gradient at each of its trial points. */
interface Search {
  isDone(): boolean;
  trial(): Float64Array;
  take(slope: Slope): void;
  result(): Minimum;
}

function startSearch(start: Float64Array, tolerance: number): Search {
  let point = start;
  let slope: Slope | null = null;
  let trial = start;
  let direction = new Float64Array(start.length);
  let size = 1;
  let halvings = 0;
  let evaluations = 0;
  let isDone = false;
  let isFlat = false;
  const steps: Pair[] = [];
  const aim = ({ gradient }: Slope): void => {
    direction = descend(gradient, steps);
    if (dot(direction, gradient) >= 0) {
      steps.length = 0;
      direction = gradient.map((each) => -each);
    }
    // nothing is known of the curvature yet: a step of at most the length 1
    size = steps.length === 0 ? Math.min(1, 1 / Math.sqrt(dot(gradient, gradient))) : 1;
    halvings = 0;
    tryStep();
  };
  const tryStep = (): void => {
    trial = Float64Array.from(point);
    addScaled(trial, size, direction);
  };
  const accept = (found: Slope): void => {
    const before = slope;
    if (before !== null) remember(steps, point, trial, before.gradient, found.gradient);
    point = trial;
    slope = found;
    const isSmall = relative(found.gradient, point) <= tolerance;
    isFlat = before !== null && before.value - found.value <= LEAST_PROGRESS * Math.abs(found.value);
    if (isSmall || isFlat) isDone = true;
    else aim(found);
  };
  return {
    isDone: () => isDone,
    trial: () => trial,
    take(found) {
      evaluations += 1;
      if (slope === null) return accept(found);
      const promised = size * dot(direction, slope.gradient);
      if (found.value <= slope.value + SUFFICIENT_DECREASE * promised) return accept(found);
      halvings += 1;
      if (halvings > MOST_HALVINGS) {
        isFlat = true;
        isDone = true;
        return;
      }
      size = shrink(size, promised, slope.value, found.value);
      tryStep();
    },
    result: () => ({
      point,
      value: slope?.value ?? Number.NaN,
      relativeGradient: slope === null ? Number.NaN : relative(slope.gradient, point),
      converged: slope !== null && (isFlat || relative(slope.gradient, point) <= tolerance),
      evaluations,
    }),
  };
}

/** The minimum of the parabola through both values and the slope, at most half and at least a tenth of the step. */
function shrink(size: number, promised: number, before: number, after: number): number {
  const vertex = (-promised * size) / (2 * (after - before - promised));
  return Number.isFinite(vertex) ? Math.min(0.5 * size, Math.max(0.1 * size, vertex)) : 0.1 * size;
}

const relative = (gradient: Float64Array, point: Float64Array): number => {
  const slope = Math.sqrt(dot(gradient, gradient));
  return slope === 0 ? 0 : slope / Math.sqrt(dot(point, point));
};

interface Pair {
  readonly step: Float64Array;
  readonly change: Float64Array;
  readonly curvature: number;
}

function remember(
  steps: Pair[],
  from: Float64Array,
  to: Float64Array,
  before: Float64Array,
  after: Float64Array,
): void {
  const step = to.map((each, j) => each - from[j]!);
  const change = after.map((each, j) => each - before[j]!);
  const curvature = dot(step, change);
  if (curvature <= LEAST_CURVATURE * Math.sqrt(dot(step, step) * dot(change, change))) return;
  steps.push({ step, change, curvature });
  if (steps.length > MEMORY) steps.shift();
}

/** The two loops of L-BFGS. */
function descend(gradient: Float64Array, steps: readonly Pair[]): Float64Array<ArrayBuffer> {
  const direction = gradient.map((each) => -each) as Float64Array<ArrayBuffer>;
  const last = steps.at(-1);
  if (last === undefined) return direction;
  const shares: number[] = [];
  for (const { step, change, curvature } of steps.toReversed()) {
    const share = dot(step, direction) / curvature;
    shares.push(share);
    addScaled(direction, -share, change);
  }
  const scale = last.curvature / dot(last.change, last.change);
  for (let j = 0; j < direction.length; j++) direction[j] = scale * direction[j]!;
  for (const { step, change, curvature } of steps) {
    addScaled(direction, shares.pop()! - dot(change, direction) / curvature, step);
  }
  return direction;
}
