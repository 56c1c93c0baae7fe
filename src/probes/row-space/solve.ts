import type { DesignMatrix } from "../design-matrix.ts";
import { type RowSpaceTask, startColumn } from "./column.ts";
import { balanceIntercept, type Preconditioner } from "./preconditioner.ts";
import { advance, createSearch, type Search } from "./search.ts";

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
    active.forEach((search, a) => {
      takeImage(search, images, active.length, a);
    });
    const preconditioned = await preconditioner(
      active.map(({ column }) => column),
      images,
    );
    active.forEach((search, a) => {
      advance(search, preconditioned[a]!, active.length, a);
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

/**
 * Hands a column its image K residual.
 * @param images [n, stride] the column at `offset`; replaced by the exact image where that is wanted
 */
function takeImage(
  { column, precision, exact }: Search,
  images: Float32Array,
  stride: number,
  offset: number,
): void {
  const { image, residual } = column;
  if (exact !== null && precision === "float64") {
    image.set(exact.predict(exact.combine(residual)));
    for (let i = 0, at = offset; i < image.length; i++, at += stride) images[at] = image[i]!;
    return;
  }
  for (let i = 0, at = offset; i < image.length; i++, at += stride) image[i] = images[at]!;
}
