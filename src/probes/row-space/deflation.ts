import { factorCholesky, invertLower } from "../../math/cholesky.ts";
import { symmetricEigen } from "../../math/symmetric-eigen.ts";
import { transpose } from "../../math/transpose.ts";
import type { DesignMatrix } from "../design-matrix.ts";
import type { MatrixMultiplier } from "../matrix-multiplier.ts";

/**
 * The leading eigenpairs of K = Z Z^T, about. Hidden states have a few directions of large variance and many of
 * small; taking the large ones out leaves conjugate gradients a third of the steps.
 */
export interface Deflation {
  /** k */
  readonly rank: number;
  /** [k] eigenvalues, ascending. */
  readonly values: readonly number[];
  /** [k,n] rows e_j, the duals of orthonormal weights v_j = Z^T e_j. */
  readonly duals: Float32Array;
  /** [2n,k] the duals as columns, and under them their images K e_j. */
  readonly stacked: Float32Array;
}

/** Subspace iterations from a random start; the eigenvectors need not be exact to be useful. */
const SWEEPS = 3;

/**
 * Finds the leading eigenpairs by subspace iteration.
 * @param rank wanted; fewer are found where K has a lower rank
 * @returns null if K is zero
 */
export async function deflate(
  multiplier: MatrixMultiplier,
  design: DesignMatrix,
  rank: number = usefulRank(design.rowCount),
): Promise<Deflation | null> {
  const n = design.rowCount;
  let block = randomBlock(Math.min(rank, n), n);
  let images = block;
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    block = await orthonormalise(multiplier, await orthonormalise(multiplier, images, n), n);
    const count = block.length / n;
    if (count === 0) return null;
    const columns = new Float32Array(n * count);
    await design.applyGram(block, count, columns);
    images = transpose(columns, n, count);
  }
  return project(multiplier, block, images, n);
}

/** Where finding more directions begins to cost more than it saves, measured at 400, 1600 and 4000 rows. */
const usefulRank = (rowCount: number): number => Math.round(1.6 * Math.sqrt(rowCount));

/** Rayleigh-Ritz: the best eigenpairs within the span of the orthonormal rows of `block`, given K times them. */
async function project(
  multiplier: MatrixMultiplier,
  block: Float32Array,
  images: Float32Array,
  n: number,
): Promise<Deflation | null> {
  const count = block.length / n;
  const products = new Float32Array(count * count);
  await multiplier.multiply(block, images, products, { m: count, k: n, n: count, transposeB: true });
  const found = symmetricEigen(
    Array.from({ length: count }, (_, i) => products.subarray(i * count, (i + 1) * count)),
  );
  const first = found.values.findIndex((value) => value > NOISE * found.values.at(-1)!);
  if (first === -1) return null;
  const values = found.values.slice(first);
  const kept = found.vectors.slice(first);
  const rank = kept.length;
  const mixing = new Float32Array(rank * count);
  kept.forEach((vector, j) => {
    for (let i = 0; i < count; i++) mixing[j * count + i] = vector[i]! / Math.sqrt(values[j]!);
  });
  const shape = { m: rank, k: count, n, transposeB: false };
  const duals = new Float32Array(rank * n);
  const dualImages = new Float32Array(rank * n);
  await multiplier.multiply(mixing, block, duals, shape);
  await multiplier.multiply(mixing, images, dualImages, shape);
  const stacked = new Float32Array(2 * n * rank);
  stacked.set(transpose(duals, rank, n));
  stacked.set(transpose(dualImages, rank, n), n * rank);
  return { rank, values, duals, stacked };
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

/** Any start will do that is not blind to the leading directions; xorshift makes one quickly, the same each time. */
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
