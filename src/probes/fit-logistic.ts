import { SepError } from "../errors.ts";
import type { DesignMatrix } from "./design-matrix.ts";
import {
  type LogisticColumnState,
  startColumn,
  takeGradient,
  takeInnerStep,
  weighDirection,
} from "./logistic-column.ts";

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

/** Fits this precise are told apart from the optimum by no rank statistic. */
const EXACT_TOLERANCE = 1e-8;
/** Enough for comparing layers and penalties: AUROC moves by less than 3e-4. */
export const SWEEP_TOLERANCE = 1e-2;
const MAX_NEWTON_STEPS = 200;

/**
 * Exact L2-penalised logistic regressions, many at once:
 * min over w, b of ½||w||² + C Σ_i c_i log(1 + exp(-y_i (z_i·w + b))), y = ±1, the intercept unpenalised.
 * Newton's method with conjugate gradients; each pass over the matrix serves all columns still at work.
 * @param tolerance bound on the relative error of the coefficients
 * @throws SepError `one-class` if a task's labels are all equal, `bad-option` for C <= 0 or a wrong length
 * @see Lin, Weng, Keerthi 2008, "Trust region Newton method for logistic regression"
 */
export async function fitLogistic(
  design: DesignMatrix,
  tasks: readonly LogisticTask[],
  { tolerance = EXACT_TOLERANCE }: { readonly tolerance?: number } = {},
): Promise<LogisticFit[]> {
  const columns = tasks.map((task) =>
    startColumn(task.labels, rowCosts(task, design.rowCount), design.width),
  );
  for (;;) {
    const inner = columns.filter((column) => column.phase === "inner");
    const fresh = columns.filter((column) => column.phase === "gradient");
    const active = [...inner, ...fresh];
    if (active.length === 0) break;
    if (inner.length > 0) {
      await design.predict(
        inner.map((column) => column.direction),
        inner.map((column) => column.directionPredictions),
      );
      inner.forEach(weighDirection);
    }
    await design.combine(
      active.map((column) => column.backward),
      active.map((column) => column.product),
    );
    for (const column of fresh) takeGradient(column, tolerance, MAX_NEWTON_STEPS);
    inner.forEach(takeInnerStep);
  }
  return columns.map(readFit);
}

function readFit({ weights, intercept, gradientNorm, phase, newtonSteps }: LogisticColumnState): LogisticFit {
  const norm = Math.hypot(...weights);
  return {
    coefficients: weights,
    intercept,
    relativeError: norm > 0 ? gradientNorm / norm : 0,
    converged: phase === "converged",
    newtonSteps,
  };
}

/** [n] C times each row's class weight. */
function rowCosts({ labels, C, classWeight }: LogisticTask, rowCount: number): Float64Array {
  if (labels.length !== rowCount) {
    throw new SepError(
      "bad-option",
      `A fit got ${labels.length} labels for ${rowCount} rows; give one a row.`,
    );
  }
  if (!(C > 0)) throw new SepError("bad-option", `C is ${C}; it must be a positive number.`);
  let positives = 0;
  for (let i = 0; i < rowCount; i++) positives += labels[i]!;
  if (positives === 0 || positives === rowCount) {
    throw new SepError(
      "one-class",
      `All ${rowCount} training labels are ${labels[0] ?? "missing"}, a probe needs both classes. ` +
        "Add questions, or change their difficulty or the threshold.",
    );
  }
  const positiveCost = classWeight === "balanced" ? (C * rowCount) / (2 * positives) : C;
  const negativeCost = classWeight === "balanced" ? (C * rowCount) / (2 * (rowCount - positives)) : C;
  return Float64Array.from(labels, (label) => (label === 1 ? positiveCost : negativeCost));
}
