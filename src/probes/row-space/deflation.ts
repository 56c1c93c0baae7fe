import { factorCholesky, invertLower } from "../../math/cholesky.ts";
import { symmetricEigen } from "../../math/symmetric-eigen.ts";
import type { DesignMatrix } from "../design-matrix.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";

/**
 * The leading eigenpairs, approximately, of the Gram matrix K = Z Z^T. Hidden states have a few directions of large variance and many of
 * small; deflating the large ones leaves conjugate gradients a third of the steps.
 */
export interface Deflation {
  /** k */
  readonly rank: number;
  /** [k] eigenvalues, ascending. */
  readonly values: readonly number[];
  /** Approximately the largest remaining eigenvalue; 0 if none remains. */
  readonly tail: number;
  /** [k,n] rows e_j, the duals of orthonormal weights v_j = Z^T e_j. */
  readonly duals: Float32Array;
  /** [k,n] the Gram matrix times them, K e_j. */
  readonly gramDuals: Float32Array;
}

/** With fewer rows, finding the leading directions takes longer than it saves. */
export const ROWS_WORTH_DEFLATING = 200;

/** Vectors per step: as many as a product multiplies for the cost of one. Half of the pairs found are kept. */
const BLOCK = 16;

/**
 * Finds the leading eigenpairs within a block Krylov space: a random block, K times it, K times that, and so on, each
 * orthogonalised against those before.
 * @param steps products with K; each finds 8 more pairs, where K has as many
 * @returns null if K is zero
 * @see Golub and Van Loan, Matrix Computations, 10.3.6, for block Lanczos methods
 */
export async function deflate(
  multiplier: MatrixMultiplier,
  design: DesignMatrix,
  steps: number = usefulSteps(design.rowCount),
): Promise<Deflation | null> {
  const n = design.rowCount;
  const basis = new Float32Array(steps * BLOCK * n);
  const gramBasis = new Float32Array(steps * BLOCK * n);
  let count = 0;
  let block = randomBlock(Math.min(BLOCK, n), n);
  for (let step = 0; step < steps; step++) {
    for (let pass = 0; pass < 2; pass++) {
      // twice: the first pass leaves rounding errors as large as what it removed
      await removeSpan(multiplier, block, basis, count, n);
      block = await orthonormalise(multiplier, block, n);
    }
    const width = block.length / n;
    if (width === 0) break;
    basis.set(block, count * n);
    const gramBlock = gramBasis.subarray(count * n, (count + width) * n);
    await design.applyGram(block, width, gramBlock);
    block = gramBlock.slice();
    count += width;
  }
  const found = basis.subarray(0, count * n);
  const isComplete = count < steps * BLOCK;
  // the lower half is dropped: those values are mixtures, and the smallest kept one has to bound what is left
  const dropped = isComplete ? 0 : Math.floor(count / 2);
  return project(multiplier, found, gramBasis.subarray(0, count * n), n, { isComplete, dropped });
}

/**
 * Finds the leading eigenpairs from a good guess by one product with K: those of a training set from those of all rows.
 * @param guess [k,n] duals approximately in their span
 */
export async function refineDeflation(
  multiplier: MatrixMultiplier,
  design: DesignMatrix,
  guess: Float32Array,
): Promise<Deflation | null> {
  const n = design.rowCount;
  const block = await orthonormalise(multiplier, guess, n);
  const width = block.length / n;
  const gramBlock = new Float32Array(block.length);
  await design.applyGram(block, width, gramBlock);
  return project(multiplier, block, gramBlock, n, { isComplete: false, dropped: 0 });
}

/**
 * [k,n] approximately the leading duals of some of the rows; {@link refineDeflation} starts from them.
 * @param rows [n] indices among all N rows
 */
export function restrictDeflation({ rank, gramDuals }: Deflation, rows: Int32Array): Float32Array {
  const total = gramDuals.length / rank;
  const restricted = new Float32Array(rank * rows.length);
  for (let j = 0, at = 0; j < rank; j++) {
    // K times the duals, not the duals: another product with K makes them purer
    for (let i = 0; i < rows.length; i++) restricted[at++] = gramDuals[j * total + rows[i]!]!;
  }
  return restricted;
}

/** Where finding more directions begins to cost more than it saves, measured at 400, 1600 and 4000 rows. */
const usefulSteps = (rowCount: number): number => Math.round(0.19 * Math.sqrt(rowCount));

/** block [w,n] <- block minus its projections on the first `count` rows of an orthonormal basis, in place. */
async function removeSpan(
  multiplier: MatrixMultiplier,
  block: Float32Array,
  basis: Float32Array,
  count: number,
  n: number,
): Promise<void> {
  const width = block.length / n;
  if (count === 0 || width === 0) return;
  const along = new Float32Array(width * count);
  await multiplier.multiply(block, basis, along, { m: width, k: n, n: count, transposeB: true });
  const inside = new Float32Array(block.length);
  await multiplier.multiply(along, basis, inside, { m: width, k: count, n, transposeB: false });
  for (let i = 0; i < block.length; i++) block[i] = block[i]! - inside[i]!;
}

/**
 * Rayleigh-Ritz: the best eigenpairs within the span of the orthonormal rows of `block`, given K times them.
 * @param isComplete whether K is zero outside that span: then all pairs are exact
 * @param dropped    how many of the lowest pairs to leave out
 */
async function project(
  multiplier: MatrixMultiplier,
  block: Float32Array,
  gramBlock: Float32Array,
  n: number,
  { isComplete, dropped }: { readonly isComplete: boolean; readonly dropped: number },
): Promise<Deflation | null> {
  const count = block.length / n;
  if (count === 0) return null;
  const products = new Float32Array(count * count);
  await multiplier.multiply(block, gramBlock, products, { m: count, k: n, n: count, transposeB: true });
  const found = symmetricEigen(
    Array.from({ length: count }, (_, i) => products.subarray(i * count, (i + 1) * count)),
  );
  const least = found.values.findIndex((value) => value > NOISE * found.values.at(-1)!);
  if (least === -1) return null;
  const first = Math.max(least, dropped);
  const values = found.values.slice(first);
  const kept = found.vectors.slice(first);
  const rank = kept.length;
  const mixing = new Float32Array(rank * count);
  kept.forEach((vector, j) => {
    for (let i = 0; i < count; i++) mixing[j * count + i] = vector[i]! / Math.sqrt(values[j]!);
  });
  const shape = { m: rank, k: count, n, transposeB: false };
  const duals = new Float32Array(rank * n);
  const gramDuals = new Float32Array(rank * n);
  await multiplier.multiply(mixing, block, duals, shape);
  await multiplier.multiply(mixing, gramBlock, gramDuals, shape);
  return { rank, values, tail: isComplete ? 0 : values[0]!, duals, gramDuals };
}

/** Orthonormal rows with the span of the given ones; those that add nothing but rounding noise are dropped. */
async function orthonormalise(
  multiplier: MatrixMultiplier,
  rows: Float32Array,
  n: number,
): Promise<Float32Array> {
  const count = rows.length / n;
  if (count === 0) return rows;
  const products = new Float32Array(count * count);
  await multiplier.multiply(rows, rows, products, { m: count, k: n, n: count, transposeB: true });
  const { lower, kept } = factorCholesky(products, count, NOISE);
  const size = kept.length;
  const inverse = invertLower(lower, size);
  const mixing = new Float32Array(size * count);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) mixing[i * count + kept[j]!] = inverse[i * size + j]!;
  }
  const mixed = new Float32Array(size * n);
  if (size > 0) await multiplier.multiply(mixing, rows, mixed, { m: size, k: count, n, transposeB: false });
  return mixed;
}

/** Eigenvalues relative to the largest that float32 products can tell from zero. */
const NOISE = 1e-6;

/** Any start that is not orthogonal to the leading directions will do; xorshift is fast and repeatable. */
function randomBlock(rank: number, n: number): Float32Array {
  const block = new Float32Array(rank * n);
  let word = 0x9e3779b9;
  for (let i = 0; i < block.length; i++) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    block[i] = word / 2 ** 31;
  }
  return block;
}
