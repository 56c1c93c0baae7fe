import { createFastDesign, predictFast } from "./design-matrix.ts";
import { type ClassWeight, rowCosts } from "./fit-logistic.ts";
import type { ProbeKind } from "./probe-weights.ts";
import type { MatrixMultiplier } from "./products/matrix-multiplier.ts";
import { createScratch, type Scratch } from "./products/scratch.ts";
import { type Deflation, deflate, ROWS_WORTH_DEFLATING, refineDeflation } from "./row-space/deflation.ts";
import {
  createIterativeDesign,
  type FoldRows,
  isGramSmaller,
  type SharedGram,
  shareGram,
} from "./row-space/gram-design.ts";
import { createDeflatedPasses } from "./row-space/passes.ts";
import { solveRegressions } from "./row-space/solve.ts";
import { createSplitDesign, type SplitDesign } from "./row-space/split-design.ts";
import {
  applyScaler,
  measureMoments,
  mergeMoments,
  type Scaler,
  type StandardisedRows,
  scalerOf,
} from "./scaler.ts";
import { scoreMlp, startMlp, trainMlp } from "./train-mlp.ts";

/** One probe to fit on a split's training rows. Vectors are over all rows; the split takes its own. */
export interface SplitTask {
  /** [N] 0 or 1. */
  readonly labels: Uint8Array;
  /** [N] what `ridge` regresses instead of the labels; null for the labels. */
  readonly values: Float64Array | null;
  readonly C: number;
}

interface SplitFitterOptions {
  readonly kind: ProbeKind;
  readonly classWeight: ClassWeight;
  /** Bound on the relative error of the weights of `logistic` and `ridge`. */
  readonly tolerance: number;
  readonly seed: number;
  /**
   * Whether splits of many rows share one Gram matrix of all rows: faster from the second split on, and exact to about a
   * thousandth of the weights.
   */
  readonly shares: boolean;
  /** Not shared with another fitter in use; see {@link MEMORY_OF_STATES}. */
  readonly scratch?: Scratch;
  readonly signal?: AbortSignal | undefined;
}

/** The scratch memory that features may be in; what is computed from them reuses it once they are no longer needed. */
export const MEMORY_OF_STATES = "states";

/** The held rows of a split with their scores. */
export interface HeldScores {
  /** [m] rows of the excluded folds, fold by fold, ascending in each. */
  readonly held: Int32Array;
  /** [task][m] the higher, the more like label 1; null for a task whose training rows have one class. */
  readonly scores: readonly (Float64Array | null)[];
}

/** Fits on all folds except some. */
export interface SplitFitter {
  /** Features that are the same in every row. */
  readonly constantFeatures: number;
  /** @param excluded folds that are not trained on, and scored */
  fit(excluded: readonly number[], tasks: readonly SplitTask[]): Promise<HeldScores>;
  /** All rows, standardised together; valid until the next fit, which reuses their memory. */
  standardiseAll(): OrderedRows;
}

/** Standardised rows in their own order. */
interface OrderedRows extends StandardisedRows {
  /** [N] the row at each place */
  readonly order: Int32Array;
  /** Their Gram matrix, if it has been computed. */
  readonly shared: SharedGram | null;
}

/** Tasks solved together: their vectors take 80 bytes per row each, and 16 columns in a product cost as much as one. */
const TASKS_AT_ONCE = 64;

/**
 * Prepares one layer's features for fits on many splits: each fold's moments are computed once, and the large matrices
 * are allocated once.
 * @param features [N,d] row-major
 * @param foldOf   [N]
 */
export function createSplitFitter(
  multiplier: MatrixMultiplier,
  features: Float32Array,
  width: number,
  foldOf: ArrayLike<number>,
  options: SplitFitterOptions,
): SplitFitter {
  const folds = Array.from({ length: 1 + Math.max(...Array.from(foldOf)) }, (_, fold) => fold);
  const rowsOf = folds.map((fold) => rowsWhere(foldOf, (own) => own === fold));
  const moments = rowsOf.map((rows) => measureMoments(features, width, rows));
  const all = scalerOf(mergeMoments(moments));
  const order = Int32Array.from(rowsOf.flatMap((rows) => [...rows]));
  const { kind, shares, scratch = createScratch() } = options;
  const isIterative = kind === "logistic" || kind === "ridge";
  const isShared = shares && isIterative && isGramSmaller(foldOf.length, width);
  const standardised = scratch.take("standardized rows", features.length);
  let shared: SharedGram | null = null;

  const standardiseAll = (): StandardisedRows => ({
    scaler: all,
    values: applyScaler(all, features, order, standardised),
    width,
  });
  const standardise = ({ scaler, trained, held }: Split): StandardisedSplit => ({
    trained: applyScaler(scaler, features, trained, standardised),
    held: applyScaler(scaler, features, held, standardised.subarray(trained.length * width)),
    heldCount: held.length,
    width,
  });
  const allocate = (size: number): Float32Array =>
    scratch.take(isShared ? MEMORY_OF_STATES : "Gram matrix of a split", size);
  const makeDesign = async (split: Split): Promise<SplitDesign> => {
    const n = split.trained.length;
    if (isShared) {
      shared ??= await shareGram(multiplier, standardiseAll(), placesOfFolds(rowsOf), scratch);
      return createSplitDesign(multiplier, shared, split.scaler, split.excluded, allocate(n * n));
    }
    const { trained, held } = standardise(split);
    const design = isIterative
      ? await createIterativeDesign(multiplier, trained, n, width, allocate)
      : createFastDesign(multiplier, trained, n, width);
    const predictHeld: SplitDesign["predictHeld"] = (weights) =>
      predictFast(multiplier, held, split.held.length, width, weights);
    return { ...design, leading: null, predictHeld };
  };

  return {
    constantFeatures: all.constantFeatures,
    standardiseAll: () => ({ ...(shared?.rows ?? standardiseAll()), shared, order }),
    async fit(excluded, tasks) {
      const trained = order.filter((row) => !excluded.includes(foldOf[row]!));
      const held = order.filter((row) => excluded.includes(foldOf[row]!));
      const none = { held, scores: tasks.map(() => null) };
      if (trained.length === 0 || held.length === 0) return none;
      const own = tasks.map((task) => pickRows(task, trained));
      const isLearnable = own.map(({ labels }) => labels.includes(0) && labels.includes(1));
      const learnable = own.filter((_, task) => isLearnable[task]);
      if (learnable.length === 0) return none;
      const scaler = scalerOf(mergeMoments(moments.filter((_, fold) => !excluded.includes(fold))));
      const split = { excluded, scaler, trained, held };
      const found =
        kind === "mlp"
          ? await scoreMlps(multiplier, standardise(split), learnable, options)
          : await scoreLinear(multiplier, await makeDesign(split), learnable, { ...options, scratch });
      let next = 0;
      return { held, scores: isLearnable.map((learnt) => (learnt ? found[next++]! : null)) };
    },
  };
}

/** Rows to train on and others to hold out, fold by fold. */
interface Split {
  readonly excluded: readonly number[];
  /** Of the rows trained on. */
  readonly scaler: Scaler;
  /** [n] */
  readonly trained: Int32Array;
  /** [m] */
  readonly held: Int32Array;
}

/** Where each fold's rows are when all are in order of their folds. */
function placesOfFolds(rowsOf: readonly Int32Array[]): FoldRows[] {
  let end = 0;
  return rowsOf.map(({ length }) => {
    const start = end;
    end += length;
    return { start, end };
  });
}

/** The rows of a split, standardised over its training rows. */
interface StandardisedSplit {
  /** [n,d] */
  readonly trained: Float32Array;
  /** [m,d] */
  readonly held: Float32Array;
  /** m */
  readonly heldCount: number;
  /** d */
  readonly width: number;
}

async function scoreLinear(
  multiplier: MatrixMultiplier,
  design: SplitDesign,
  tasks: readonly SplitTask[],
  { kind, classWeight, tolerance, scratch, signal }: SplitFitterOptions,
): Promise<Float64Array[]> {
  if (kind === "mean-difference") {
    return design.predictHeld(await design.combine(tasks.map(({ labels }) => meanDifferenceDuals(labels))));
  }
  const scores: Float64Array[] = [];
  const findSpace = (): Promise<Deflation | null> =>
    design.leading === null
      ? deflate(multiplier, design)
      : refineDeflation(multiplier, design, design.leading);
  const space = design.rowCount >= ROWS_WORTH_DEFLATING ? await findSpace() : null;
  await using passes = space === null ? null : await createDeflatedPasses(multiplier, design, space, scratch);
  for (let begin = 0; begin < tasks.length; begin += TASKS_AT_ONCE) {
    const own = tasks.slice(begin, begin + TASKS_AT_ONCE);
    const fits = await solveRegressions(
      design,
      own.map(({ labels, values, C }) => ({
        loss: kind === "ridge" ? "squared" : "logistic",
        outcomes: kind === "ridge" ? (values ?? labels) : labels,
        costs: rowCosts(labels, C, classWeight),
      })),
      { tolerance, passes, scratch, signal },
    );
    const products = await design.predictHeld(fits.map(({ weights }) => weights));
    products.forEach((product, a) => {
      scores.push(product.map((value) => value + fits[a]!.intercept));
    });
  }
  return scores;
}

async function scoreMlps(
  multiplier: MatrixMultiplier,
  { trained, held, heldCount, width }: StandardisedSplit,
  tasks: readonly SplitTask[],
  { classWeight, seed, signal }: SplitFitterOptions,
): Promise<Float64Array[]> {
  const scores: Float64Array[] = [];
  for (const { labels, C } of tasks) {
    const costs = rowCosts(labels, C, classWeight);
    const start = startMlp(width, seed);
    const mlp = await trainMlp(multiplier, start, { features: trained, labels, costs }, { signal });
    scores.push(await scoreMlp(multiplier, mlp, held, heldCount));
  }
  return scores;
}

/** Z^T of these is the mean of the rows with label 1 minus that of the others. */
export function meanDifferenceDuals(labels: ArrayLike<number>): Float64Array {
  const ones = Array.from(labels).reduce((sum, label) => sum + label, 0);
  return Float64Array.from(labels, (label) => (label === 1 ? 1 / ones : -1 / (labels.length - ones)));
}

function rowsWhere(foldOf: ArrayLike<number>, test: (fold: number) => boolean): Int32Array {
  const rows: number[] = [];
  for (let row = 0; row < foldOf.length; row++) if (test(foldOf[row]!)) rows.push(row);
  return Int32Array.from(rows);
}

/** A task's vectors over some of the rows. */
export function pickRows({ labels, values, C }: SplitTask, rows: Int32Array): SplitTask {
  const picked = new Uint8Array(rows.length);
  for (let i = 0; i < rows.length; i++) picked[i] = labels[rows[i]!]!;
  return {
    labels: picked,
    values: values === null ? null : Float64Array.from(rows, (row) => values[row]!),
    C,
  };
}
