import { factorCholesky } from "./cholesky.ts";
import { logistic } from "./logistic.ts";

/** A fitted regression: P(label 1) = logistic(intercept + sum_j coefficients[j] · column j). */
export interface LogisticRegression {
  /** [d] */
  readonly coefficients: Float64Array;
  readonly intercept: number;
}

const MAX_STEPS = 50;
/** Of the largest change of the log odds per step, relative to 1. */
const TOLERANCE = 1e-9;
/** A column that depends on those before it, to rounding, gets the coefficient 0 in a step. */
const DEPENDENT = 1e-12;

/**
 * L2-penalised logistic regression on a few columns, by Newton's method: min over w, b of ½ ridge ||w||² + sum of log losses,
 * the intercept unpenalised. It is scikit-learn's `LogisticRegression(C=1 / ridge)`.
 * @param columns [d][n] finite
 * @param labels  [n] 0 or 1, both present
 * @param rows    which rows to fit; all by default
 * @throws RangeError with one class
 */
export function fitLogisticRegression(
  columns: readonly Float64Array[],
  labels: ArrayLike<number>,
  { ridge = 1, rows }: { readonly ridge?: number; readonly rows?: ArrayLike<number> } = {},
): LogisticRegression {
  const own = rows ?? Array.from({ length: labels.length }, (_, row) => row);
  const ones = Array.from(own).reduce((sum, row) => sum + labels[row]!, 0);
  if (ones === 0 || ones === own.length)
    throw new RangeError(`A regression needs both classes; ${ones} of ${own.length} labels are 1.`);
  const size = columns.length + 1;
  const theta = new Float64Array(size);
  theta[size - 1] = Math.log(ones / (own.length - ones));
  const value = (column: number, row: number): number => columns[column]?.[row] ?? 1;
  const lossAt = (at: Float64Array): number => {
    let loss = 0;
    for (let j = 0; j < size - 1; j++) loss += 0.5 * ridge * at[j]! ** 2;
    for (let i = 0; i < own.length; i++) {
      const row = own[i]!;
      const score = scoreRow(columns, at, row);
      loss += Math.max(score, 0) + Math.log1p(Math.exp(-Math.abs(score))) - labels[row]! * score;
    }
    return loss;
  };
  let loss = lossAt(theta);
  for (let step = 0; step < MAX_STEPS; step++) {
    const gradient = new Float64Array(size);
    const hessian = new Float64Array(size * size);
    for (let j = 0; j < size - 1; j++) {
      gradient[j] = ridge * theta[j]!;
      hessian[j * size + j] = ridge;
    }
    for (let i = 0; i < own.length; i++) {
      const row = own[i]!;
      const probability = logistic(scoreRow(columns, theta, row));
      const curve = probability * (1 - probability);
      for (let j = 0; j < size; j++) {
        const left = value(j, row);
        gradient[j]! += (probability - labels[row]!) * left;
        for (let k = 0; k <= j; k++) hessian[j * size + k]! += curve * left * value(k, row);
      }
    }
    const change = solve(hessian, gradient, size);
    let scale = 1;
    let next = moved(theta, change, scale);
    while (!(lossAt(next) <= loss) && scale > 1e-8) {
      scale /= 2;
      next = moved(theta, change, scale);
    }
    const reached = lossAt(next);
    if (!(reached <= loss)) break;
    theta.set(next);
    loss = reached;
    if (change.every((each) => Math.abs(each) < TOLERANCE)) break;
  }
  return { coefficients: theta.slice(0, size - 1), intercept: theta[size - 1]! };
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

function scoreRow(columns: readonly Float64Array[], theta: Float64Array, row: number): number {
  let sum = theta[columns.length]!;
  for (let j = 0; j < columns.length; j++) sum += theta[j]! * columns[j]![row]!;
  return sum;
}

const moved = (theta: Float64Array, change: Float64Array, scale: number): Float64Array =>
  theta.map((each, j) => each - scale * change[j]!);

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
