import { SepError } from "../errors.ts";
import type { DesignMatrix } from "./design-matrix.ts";
import { solveRegressions } from "./row-space/solve.ts";

/** One regression among those fitted together on one design matrix. */
export interface LogisticTask {
  /** [n] 0 or 1, both present. */
  readonly labels: ArrayLike<number>;
  /** Inverse strength of the penalty, as scikit-learn's C; > 0. */
  readonly C: number;
  /** "balanced" weighs each class by n / (2 n_class), as scikit-learn does. */
  readonly classWeight: ClassWeight;
}

export type ClassWeight = "none" | "balanced";

/** A fitted regression: P(label = 1) = logistic(Z w + b). */
export interface LogisticFit {
  /** [d] in units of the standardised features. */
  readonly coefficients: Float64Array;
  readonly intercept: number;
  /** Euclidean norm of the gradient reached, over the norm of the coefficients: a bound of their relative error. */
  readonly relativeError: number;
  readonly converged: boolean;
  readonly newtonSteps: number;
}

/** As exact as the float32 numbers that coefficients are stored in. */
export const EXACT_TOLERANCE = 1e-7;
/**
 * Bound on the relative error of weights that are fitted to compare layers and penalties, such that AUROCs move by less
 * than 1e-3, mostly by about 1e-4. With more rows, more of the randomly swapped pairs cancel out; with fewer, each counts
 * more, and an exact fit takes less time.
 */
export function sweepTolerance(rowCount: number): number {
  const ratio = rowCount / 500;
  return Math.min(Math.max(8e-3 * Math.min(ratio ** 2, ratio ** 0.5), 1e-4), 3e-2);
}

/**
 * Exact L2-penalised logistic regressions, many at once:
 * min over w, b of ½||w||² + C Σ_i c_i log(1 + exp(-y_i (z_i·w + b))), y = ±1, the intercept unpenalised.
 * @param tolerance bound on the relative error of the coefficients; below 1e-4, gradients are taken in float64
 * @throws SepError `one-class` if a task's labels are all equal, `bad-option` for C <= 0 or a wrong length
 * @see solveRegressions for the method
 */
export async function fitLogistic(
  design: DesignMatrix,
  tasks: readonly LogisticTask[],
  { tolerance = EXACT_TOLERANCE }: { readonly tolerance?: number } = {},
): Promise<LogisticFit[]> {
  const fits = await solveRegressions(
    design,
    tasks.map(({ labels, C, classWeight }) => {
      if (labels.length === design.rowCount)
        return { loss: "logistic", outcomes: labels, costs: rowCosts(labels, C, classWeight) };
      throw new SepError(
        "bad-option",
        `A fit got ${labels.length} labels for ${design.rowCount} rows; give one per row.`,
      );
    }),
    { tolerance },
  );
  return fits.map(({ weights, ...fit }) => ({ ...fit, coefficients: weights }));
}

/**
 * What each row's loss is multiplied by.
 * @param labels [n] 0 or 1, both present
 * @returns [n] C times the row's class weight
 * @throws SepError `one-class` if the labels are all equal, `bad-option` for C <= 0
 */
export function rowCosts(labels: ArrayLike<number>, C: number, classWeight: ClassWeight): Float64Array {
  const rowCount = labels.length;
  if (!(C > 0)) throw new SepError("bad-option", `C is ${C}; it must be a positive number.`);
  let positives = 0;
  for (let i = 0; i < rowCount; i++) positives += labels[i]!;
  if (positives === 0 || positives === rowCount) {
    throw new SepError(
      "one-class",
      `All ${rowCount} training labels are ${labels[0] ?? "missing"}, but a probe needs both classes. ` +
        "Add questions, or change their difficulty or the threshold.",
    );
  }
  const positiveCost = classWeight === "balanced" ? (C * rowCount) / (2 * positives) : C;
  const negativeCost = classWeight === "balanced" ? (C * rowCount) / (2 * (rowCount - positives)) : C;
  const costs = new Float64Array(rowCount).fill(negativeCost);
  for (let i = 0; i < rowCount; i++) if (labels[i] === 1) costs[i] = positiveCost;
  return costs;
}
