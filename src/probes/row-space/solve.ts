import type { DesignMatrix } from "../design-matrix.ts";
import type { ExactProducts } from "../products/exact-products.ts";
import { createScratch, type Scratch } from "../products/scratch.ts";
import { type RowSpaceTask, startColumn, VECTORS_OF_A_COLUMN } from "./column.ts";
import { createBalancedPasses, type Passes } from "./passes.ts";
import { type Accuracy, advance, createSearch, type Search, takeExactGradients } from "./search.ts";

/** A fitted regression. */
export interface RowSpaceFit {
  /** [d] */
  readonly weights: Float64Array;
  readonly intercept: number;
  /** Gradient's norm over the weights' norm where it was last taken: a bound of the weights' relative error. */
  readonly relativeError: number;
  readonly converged: boolean;
  readonly newtonSteps: number;
}

export interface SolveRowSpaceOptions {
  /** Bound on the relative error of the weights. */
  readonly tolerance: number;
  /** On this design; null for plain ones. */
  readonly passes?: Passes | null;
  /** Of nothing else that is under way. */
  readonly scratch?: Scratch | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Relative error that float32 products reach on any data worth fitting; below it, gradients are taken in float64. */
const FLOAT32_TOLERANCE = 1e-4;

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
  { tolerance, passes: given = null, scratch = createScratch(), signal }: SolveRowSpaceOptions,
): Promise<RowSpaceFit[]> {
  const passes = given ?? createBalancedPasses(design, scratch);
  const exact = tolerance < FLOAT32_TOLERANCE ? design.exact : null;
  const accuracy: Accuracy = { tolerance, isExact: exact !== null };
  const size = VECTORS_OF_A_COLUMN * design.rowCount;
  const memory = scratch.takeDoubles("regressions", tasks.length * size);
  const all = tasks.map((task, a) =>
    createSearch(startColumn(task, memory.subarray(a * size, (a + 1) * size)), accuracy),
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
      active.map(({ column }) => column),
      exact === null ? null : (images) => replaceImages(active, images, exact),
    );
    active.forEach((search, a) => {
      advance(search, preconditioned[a]!);
    });
  }
  const duals = all.map(({ column }) => column.duals);
  const weights = exact === null ? await design.combine(duals) : all.map((search) => search.weights!);
  return all.map(({ column, converged }, a) => ({
    weights: weights[a]!,
    intercept: column.intercept,
    relativeError: column.weightNorm > 0 ? column.gradientNorm / column.weightNorm : 0,
    converged,
    newtonSteps: column.newtonSteps,
  }));
}

/** Replaces the images, K residual, of columns that no longer trust fast products. @param images [active, n] */
function replaceImages(
  active: readonly Search[],
  images: Float32Array,
  { combine, predict }: ExactProducts,
): void {
  const distrustful = active.filter(({ precision }) => precision === "exact");
  if (distrustful.length === 0) return;
  const exact = predict(combine(distrustful.map(({ column }) => column.residual)));
  for (const [a, search] of distrustful.entries()) {
    const { image } = search.column;
    image.set(exact[a]!);
    images.set(image, active.indexOf(search) * image.length);
  }
}
