import { factorCholesky } from "./cholesky.ts";

/** A fitted regression: P(label 1) = logistic(intercept + sum_j coefficients[j] · column j). */
export interface LogisticRegression {
  /** [d] */
  readonly coefficients: Float64Array;
  readonly intercept: number;
}

const MAX_STEPS = 50;
/** Of the gradient, per row. */
const TOLERANCE = 1e-9;
/** Of the loss: a step that lowers it by less is the last, and too small to be seen in it. */
const ROUNDING = 1e-13;
/** A column that depends on those before it, to rounding, gets the coefficient 0 in a step. */
const DEPENDENT = 1e-12;

/** How a regression is fitted. */
interface LogisticRegressionOptions {
  /** 1 / C of scikit-learn; 1 by default. */
  readonly ridge?: number;
  /** Which rows to fit; all by default. */
  readonly rows?: ArrayLike<number>;
  /** A fit of similar data, from which this one takes fewer steps. */
  readonly start?: LogisticRegression;
}

/**
 * L2-penalised logistic regression on a few columns, by Newton's method: min over w, b of ½ ridge ||w||² + sum of log losses,
 * the intercept unpenalised. It is scikit-learn's `LogisticRegression(C=1 / ridge)`.
 * @param columns [d][n] finite
 * @param labels  [n] 0 or 1, both present
 * @throws RangeError with one class
 */
export function fitLogisticRegression(
  columns: readonly Float64Array[],
  labels: ArrayLike<number>,
  { ridge = 1, rows, start }: LogisticRegressionOptions = {},
): LogisticRegression {
  const packed = packRows(columns, labels, rows ?? Array.from({ length: labels.length }, (_, row) => row));
  const { count, width, ones } = packed;
  if (ones === 0 || ones === count)
    throw new RangeError(`A regression needs both classes; ${ones} of ${count} labels are 1.`);
  let theta: Float64Array = new Float64Array(width);
  theta[width - 1] = Math.log(ones / (count - ones));
  if (start !== undefined) theta.set([...start.coefficients, start.intercept]);
  let current = evaluateLoss(packed, theta, ridge);
  for (let step = 0; step < MAX_STEPS; step++) {
    if (current.gradient.every((slope) => Math.abs(slope) <= TOLERANCE * count)) break;
    const change = solve(current.hessian, current.gradient, width);
    const decrement = change.reduce((sum, each, j) => sum + each * current.gradient[j]!, 0);
    if (decrement <= ROUNDING * (1 + current.loss)) {
      theta = theta.map((each, j) => each - change[j]!);
      break;
    }
    const next = descend(packed, theta, change, current.loss, ridge);
    if (next === null) break;
    ({ theta, ...current } = next);
  }
  return { coefficients: theta.slice(0, width - 1), intercept: theta[width - 1]! };
}

/** Rows one after the other, each with a last value of 1 for the intercept. */
interface PackedRows {
  readonly count: number;
  /** d + 1 */
  readonly width: number;
  /** [count, width] */
  readonly values: Float64Array;
  /** [count] */
  readonly outcomes: Uint8Array;
  readonly ones: number;
}

function packRows(
  columns: readonly Float64Array[],
  labels: ArrayLike<number>,
  rows: ArrayLike<number>,
): PackedRows {
  const width = columns.length + 1;
  const values = new Float64Array(rows.length * width);
  const outcomes = new Uint8Array(rows.length);
  let ones = 0;
  for (let i = 0; i < rows.length; i++) {
    for (let j = 0; j < width - 1; j++) values[i * width + j] = columns[j]![rows[i]!]!;
    values[(i + 1) * width - 1] = 1;
    outcomes[i] = labels[rows[i]!]!;
    ones += outcomes[i]!;
  }
  return { count: rows.length, width, values, outcomes, ones };
}

interface Loss {
  readonly loss: number;
  /** [width] */
  readonly gradient: Float64Array;
  /** [width, width], its lower half */
  readonly hessian: Float64Array;
}

function evaluateLoss(
  { count, width, values, outcomes }: PackedRows,
  theta: Float64Array,
  ridge: number,
): Loss {
  const gradient = new Float64Array(width);
  const hessian = new Float64Array(width * width);
  let loss = 0;
  for (let j = 0; j < width - 1; j++) {
    loss += 0.5 * ridge * theta[j]! ** 2;
    gradient[j] = ridge * theta[j]!;
    hessian[j * width + j] = ridge;
  }
  for (let i = 0; i < count; i++) {
    const at = i * width;
    let score = 0;
    for (let j = 0; j < width; j++) score += theta[j]! * values[at + j]!;
    const tail = Math.exp(-Math.abs(score));
    const probability = (score >= 0 ? 1 : tail) / (1 + tail);
    loss += Math.max(score, 0) + Math.log1p(tail) - outcomes[i]! * score;
    const error = probability - outcomes[i]!;
    const curve = probability * (1 - probability);
    for (let j = 0; j < width; j++) {
      const value = values[at + j]!;
      gradient[j] = gradient[j]! + error * value;
      const scaled = curve * value;
      for (let k = 0; k <= j; k++)
        hessian[j * width + k] = hessian[j * width + k]! + scaled * values[at + k]!;
    }
  }
  return { loss, gradient, hessian };
}

/** Halves a step until the loss does not rise; null at the minimum, to rounding. */
function descend(
  packed: PackedRows,
  theta: Float64Array,
  change: Float64Array,
  loss: number,
  ridge: number,
): (Loss & { readonly theta: Float64Array }) | null {
  for (let scale = 1; scale > 1e-8; scale /= 2) {
    const next = theta.map((each, j) => each - scale * change[j]!);
    const reached = evaluateLoss(packed, next, ridge);
    if (reached.loss <= loss) return { theta: next, ...reached };
  }
  return null;
}

/** The log odds of one row. */
export function predictLogOdds(
  { coefficients, intercept }: LogisticRegression,
  columns: readonly Float64Array[],
  row: number,
): number {
  let sum = intercept;
  for (let j = 0; j < coefficients.length; j++) sum += coefficients[j]! * columns[j]![row]!;
  return sum;
}

/** Solves a symmetric positive semidefinite system; 0 for unknowns whose row depends on those before. */
function solve(matrix: Float64Array, right: Float64Array, n: number): Float64Array {
  const { lower, kept } = factorCholesky(matrix, n, DEPENDENT);
  const size = kept.length;
  const forward = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    let left = right[kept[i]!]!;
    for (let j = 0; j < i; j++) left -= lower[i * size + j]! * forward[j]!;
    forward[i] = left / lower[i * size + i]!;
  }
  const solved = new Float64Array(n);
  for (let i = size - 1; i >= 0; i--) {
    let left = forward[i]!;
    for (let j = i + 1; j < size; j++) left -= lower[j * size + i]! * solved[kept[j]!]!;
    solved[kept[i]!] = left / lower[i * size + i]!;
  }
  return solved;
}
