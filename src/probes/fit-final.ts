import { dot } from "../math/vector.ts";
import { createExactProducts, type ExactProducts } from "./design-matrix.ts";
import { type ClassWeight, EXACT_TOLERANCE, rowCosts } from "./fit-logistic.ts";
import { meanDifferenceDuals, type SplitTask } from "./fit-split.ts";
import type { Optimisation } from "./probe.ts";
import type { HiddenLayer, ProbeKind, ProbeWeights } from "./probe-weights.ts";
import type { MatrixMultiplier } from "./products/matrix-multiplier.ts";
import { type Deflation, deflate, ROWS_WORTH_DEFLATING } from "./row-space/deflation.ts";
import { createGramDesign, createIterativeDesign, type SharedGram } from "./row-space/gram-design.ts";
import { createDeflatedPasses } from "./row-space/passes.ts";
import { solveRegressions } from "./row-space/solve.ts";
import type { StandardisedRows } from "./scaler.ts";
import { startMlp, trainMlp } from "./train-mlp.ts";

/** A probe fitted on all rows. */
export interface FinalFit {
  readonly weights: ProbeWeights;
  readonly constantFeatures: number;
  /** Bound of the coefficients' relative error; null for kinds without an optimum. */
  readonly relativeError: number | null;
  readonly converged: boolean;
  /** Of a fit that has no bound on its error. */
  readonly optimisation?: Optimisation;
}

/** Steps of deflation before fitting a few regressions; more would take longer than they save. */
const DEFLATION_STEPS = 4;

/**
 * Fits the kept probes on all rows; regressions to their exact optimum.
 * @param tasks their vectors are over the same rows
 * @returns one per task
 * @throws SepError `one-class`
 */
export async function fitFinal(
  multiplier: MatrixMultiplier,
  rows: StandardisedRows,
  tasks: readonly SplitTask[],
  options: FinalOptions,
): Promise<FinalFit[]> {
  const { mean, scale, constantFeatures } = rows.scaler;
  const scaler = { mean: Float32Array.from(mean), scale: Float32Array.from(scale) };
  const fits =
    options.kind === "mlp"
      ? await fitMlps(multiplier, rows, tasks, options)
      : await fitLinear(multiplier, rows, tasks, options);
  return fits.map(({ coefficients, intercept, hidden, relativeError, converged }) => ({
    weights: { ...scaler, coefficients: Float32Array.from(coefficients), intercept, hidden },
    constantFeatures,
    relativeError,
    converged,
  }));
}

interface FinalOptions {
  readonly kind: ProbeKind;
  readonly classWeight: ClassWeight;
  readonly seed: number;
  /** Gram matrix of the standardised rows and its leading directions, if they have been computed. */
  readonly shared?: Pick<SharedGram, "gram" | "deflation"> | null;
  readonly signal?: AbortSignal | undefined;
}

/** A fit in units of the standardised features. */
interface StandardisedFit extends Pick<FinalFit, "relativeError" | "converged"> {
  readonly coefficients: ArrayLike<number>;
  readonly intercept: number;
  readonly hidden: HiddenLayer | null;
}

async function fitLinear(
  multiplier: MatrixMultiplier,
  { values, width }: StandardisedRows,
  tasks: readonly SplitTask[],
  { kind, classWeight, shared = null, signal }: FinalOptions,
): Promise<StandardisedFit[]> {
  const count = values.length / width;
  if (kind === "mean-difference") return fitMeanDifferences(createExactProducts(values, count, width), tasks);
  const design =
    shared === null
      ? await createIterativeDesign(multiplier, values, count, width)
      : createGramDesign(multiplier, shared.gram, values, count, width);
  const findSpace = (): Promise<Deflation | null> =>
    shared === null ? deflate(multiplier, design, DEFLATION_STEPS) : Promise.resolve(shared.deflation);
  const space = count >= ROWS_WORTH_DEFLATING ? await findSpace() : null;
  await using passes = space === null ? null : await createDeflatedPasses(multiplier, design, space);
  const fits = await solveRegressions(
    design,
    tasks.map(({ labels, values: amounts, C }) => ({
      loss: kind === "ridge" ? "squared" : "logistic",
      outcomes: kind === "ridge" ? (amounts ?? labels) : labels,
      costs: rowCosts(labels, C, classWeight),
    })),
    {
      tolerance: EXACT_TOLERANCE,
      passes,
      signal,
    },
  );
  return fits.map(({ weights, ...fit }) => ({ ...fit, coefficients: weights, hidden: null }));
}

function fitMeanDifferences({ combine }: ExactProducts, tasks: readonly SplitTask[]): StandardisedFit[] {
  const duals = tasks.map(({ labels }) => meanDifferenceDuals(labels));
  // halfway between the means, so that the score's sign says which one is nearer
  const middles = combine(duals.map((own) => own.map((dual) => Math.abs(dual) / 2)));
  return combine(duals).map((coefficients, a) => {
    const intercept = -dot(coefficients, middles[a]!);
    return { coefficients, intercept, hidden: null, relativeError: null, converged: true };
  });
}

async function fitMlps(
  multiplier: MatrixMultiplier,
  { values, width }: StandardisedRows,
  tasks: readonly SplitTask[],
  { classWeight, seed, signal }: FinalOptions,
): Promise<StandardisedFit[]> {
  const fits: StandardisedFit[] = [];
  for (const { labels, C } of tasks) {
    const costs = rowCosts(labels, C, classWeight);
    const start = startMlp(width, seed);
    const mlp = await trainMlp(multiplier, start, { features: values, labels, costs }, { signal });
    fits.push({
      coefficients: mlp.output,
      intercept: mlp.outputBias[0]!,
      hidden: { weights: mlp.hidden, biases: mlp.hiddenBias },
      relativeError: null,
      converged: true,
    });
  }
  return fits;
}
