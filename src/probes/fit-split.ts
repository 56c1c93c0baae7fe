import { createFastDesign, type DesignMatrix } from "./design-matrix.ts";
import { type ClassWeight, rowCosts } from "./fit-logistic.ts";
import type { MatrixMultiplier } from "./matrix-multiplier.ts";
import type { ProbeKind } from "./probe-kind.ts";
import { deflate } from "./row-space/deflation.ts";
import { computeGram, createGramDesign } from "./row-space/gram-design.ts";
import { createDeflatedPreconditioner } from "./row-space/preconditioner.ts";
import { solveRowSpace } from "./row-space/solve.ts";
import {
  applyScaler,
  type Moments,
  measureMoments,
  mergeMoments,
  type StandardisedRows,
  scalerOf,
} from "./scaler.ts";
import { scoreMlp, startMlp, trainMlp } from "./train-mlp.ts";

/** One probe to fit on a split's training rows. Vectors are over all rows, of which the split takes its own. */
export interface SplitTask {
  /** [N] 0 or 1. */
  readonly labels: Uint8Array;
  /** [N] what `ridge` regresses instead of the labels; null for the labels. */
  readonly values: Float64Array | null;
  readonly C: number;
}

export interface SplitFitterOptions {
  readonly kind: ProbeKind;
  readonly classWeight: ClassWeight;
  /** Bound on the relative error of the weights of `logistic` and `ridge`. */
  readonly tolerance: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** The held rows of a split with their scores. */
export interface SplitScores {
  /** [m] rows of the excluded folds, ascending. */
  readonly held: Int32Array;
  /** [task][m] the higher, the more like label 1; null for a task whose training rows have one class. */
  readonly scores: readonly (Float64Array | null)[];
}

/** Fits on all folds but some. */
export interface SplitFitter {
  /** Features that are the same in every row. */
  readonly constantFeatures: number;
  /** @param excluded folds that are not trained on, and scored */
  fit(excluded: readonly number[], tasks: readonly SplitTask[]): Promise<SplitScores>;
  /** All rows, standardised together; good until the next fit, which takes their memory. */
  standardiseAll(): StandardisedRows;
}

/** Tasks that are solved together; their vectors take 80 bytes a row each, and a product does 16 at the price of one. */
const TASKS_AT_ONCE = 64;
/** With fewer training rows, finding the leading directions takes longer than it saves. */
export const ROWS_WORTH_DEFLATING = 200;

/**
 * Prepares one layer's features for fits on many splits: each fold's moments are taken once, and the large matrices
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
  const moments: Moments[] = folds.map((fold) =>
    measureMoments(
      features,
      width,
      rowsWhere(foldOf, (own) => own === fold),
    ),
  );
  const all = scalerOf(mergeMoments(moments));
  const standardised = new Float32Array(features.length);
  let gram = new Float32Array(0);

  return {
    constantFeatures: all.constantFeatures,
    standardiseAll() {
      const everyRow = rowsWhere(foldOf, () => true);
      return { scaler: all, values: applyScaler(all, features, everyRow, standardised), width };
    },
    async fit(excluded, tasks) {
      const trained = rowsWhere(foldOf, (fold) => !excluded.includes(fold));
      const held = rowsWhere(foldOf, (fold) => excluded.includes(fold));
      const none = { held, scores: tasks.map(() => null) };
      if (trained.length === 0 || held.length === 0) return none;
      const scaler = scalerOf(mergeMoments(moments.filter((_, fold) => !excluded.includes(fold))));
      const n = trained.length;
      applyScaler(scaler, features, trained, standardised);
      const heldFeatures = standardised.subarray(n * width);
      applyScaler(scaler, features, held, heldFeatures);
      const own = tasks.map(({ labels, values, C }) => ({
        labels: pick(labels, trained),
        values: values === null ? null : Float64Array.from(trained, (row) => values[row]!),
        C,
      }));
      const isLearnable = own.map(({ labels }) => labels.includes(0) && labels.includes(1));
      const learnable = own.filter((_, task) => isLearnable[task]);
      if (learnable.length === 0) return none;
      const makeDesign = async (): Promise<DesignMatrix> => {
        if (n >= 2 * width) return createFastDesign(multiplier, standardised, n, width);
        if (gram.length < n * n) gram = new Float32Array(n * n);
        await computeGram(multiplier, standardised, n, width, gram);
        return createGramDesign(multiplier, gram, standardised, n, width);
      };
      const context = { multiplier, standardised, heldFeatures, n, m: held.length, width, makeDesign };
      const found =
        options.kind === "mlp"
          ? await scoreMlps(context, learnable, options)
          : await scoreLinear(context, learnable, options);
      let next = 0;
      return { held, scores: isLearnable.map((learnt) => (learnt ? found[next++]! : null)) };
    },
  };
}

interface SplitContext {
  readonly multiplier: MatrixMultiplier;
  /** [n,d] */
  readonly standardised: Float32Array;
  /** [m,d] */
  readonly heldFeatures: Float32Array;
  readonly n: number;
  readonly m: number;
  readonly width: number;
  makeDesign(): Promise<DesignMatrix>;
}

async function scoreLinear(
  { multiplier, standardised, heldFeatures, n, m, width, makeDesign }: SplitContext,
  tasks: readonly SplitTask[],
  { kind, classWeight, tolerance, signal }: SplitFitterOptions,
): Promise<Float64Array[]> {
  const scores: Float64Array[] = [];
  const design = kind === "mean-difference" ? null : await makeDesign();
  const space = design !== null && n >= ROWS_WORTH_DEFLATING ? await deflate(multiplier, design) : null;
  const preconditioner = space === null ? undefined : createDeflatedPreconditioner(space, multiplier);
  for (let begin = 0; begin < tasks.length; begin += TASKS_AT_ONCE) {
    const own = tasks.slice(begin, begin + TASKS_AT_ONCE);
    const fits =
      design === null
        ? own.map(({ labels }) => ({ duals: meanDifferenceDuals(labels), intercept: 0 }))
        : await solveRowSpace(
            design,
            own.map(({ labels, values, C }) => ({
              loss: kind === "ridge" ? "squared" : "logistic",
              outcomes: kind === "ridge" ? (values ?? labels) : labels,
              costs: rowCosts(labels, C, classWeight),
            })),
            { tolerance, preconditioner, signal },
          );
    const count = own.length;
    const duals = new Float32Array(count * n);
    fits.forEach((fit, a) => {
      duals.set(fit.duals, a * n);
    });
    const weights = new Float32Array(count * width);
    await multiplier.multiply(duals, standardised, weights, { m: count, k: n, n: width, transposeB: false });
    const products = new Float32Array(m * count);
    const shape = { m, k: width, n: count, transposeB: true };
    await multiplier.multiply(heldFeatures, weights, products, shape);
    fits.forEach(({ intercept }, a) => {
      scores.push(Float64Array.from({ length: m }, (_, i) => products[i * count + a]! + intercept));
    });
  }
  return scores;
}

async function scoreMlps(
  { multiplier, standardised, heldFeatures, m, width }: SplitContext,
  tasks: readonly SplitTask[],
  { classWeight, seed, signal }: SplitFitterOptions,
): Promise<Float64Array[]> {
  const scores: Float64Array[] = [];
  for (const { labels, C } of tasks) {
    const costs = rowCosts(labels, C, classWeight);
    const start = startMlp(width, seed);
    const mlp = await trainMlp(multiplier, start, standardised, labels, costs, { signal });
    scores.push(await scoreMlp(multiplier, mlp, heldFeatures, m));
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

function pick(values: Uint8Array, rows: Int32Array): Uint8Array {
  const picked = new Uint8Array(rows.length);
  for (let i = 0; i < rows.length; i++) picked[i] = values[rows[i]!]!;
  return picked;
}
