import { transpose } from "../../math/transpose.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import { packFilter } from "../products/packed-products.ts";
import type { RowSpaceColumn } from "./column.ts";
import type { Deflation } from "./deflation.ts";

/**
 * A preconditioned residual z = share · residual + correction. With the share alone it is the residual itself on
 * the features' scale.
 */
export interface Preconditioned {
  readonly share: number;
  readonly intercept: number;
  /** What residual · K z has beside share · residual · K residual. */
  readonly extraEnergy: number;
  /** [2n] the correction, and after it that of K z; null for none. */
  readonly corrections: Float32Array | null;
}

/** Makes steps of residuals that lead to the optimum sooner. */
export interface Preconditioner {
  /** Preconditions the residuals of all active columns at once, given their images [A,n]. */
  precondition(columns: readonly RowSpaceColumn[], images: Float32Array): Promise<readonly Preconditioned[]>;
}

/**
 * Features are standardised, so each weight has a Hessian diagonal near 1 + sum of curvature, the unpenalised
 * intercept the sum alone: far smaller when C is small. Weighing it by their ratio puts all on one scale.
 */
export const interceptBalance: Preconditioner = {
  precondition: async (columns) =>
    columns.map(({ interceptResidual, curvatureSum }) => {
      const intercept = (interceptResidual * (1 + curvatureSum)) / (curvatureSum + Number.MIN_VALUE);
      return { share: 1, intercept, extraEnergy: interceptResidual * intercept, corrections: null };
    }),
};

/**
 * Solves exactly in the deflated space, as if curvature were the same at all rows, and scales the rest as its
 * largest direction needs; dispose it after use.
 */
export async function createDeflatedPreconditioner(
  { rank, values, tail, duals, images: dualImages }: Deflation,
  multiplier: MatrixMultiplier,
): Promise<Preconditioner & AsyncDisposable> {
  const n = duals.length / rank;
  const steps = new Float32Array(2 * n * rank);
  for (let j = 0; j < rank; j++) {
    steps.set(duals.subarray(j * n, (j + 1) * n), 2 * j * n);
    steps.set(dualImages.subarray(j * n, (j + 1) * n), (2 * j + 1) * n);
  }
  // Projections of the weights Z^T residual on v_j = Z^T e_j, through the image: what the residual has outside the
  // rows' span would be rounding noise in a product with the residual itself.
  const filter = await packFilter(multiplier, transpose(duals, rank, n), steps, { n, k: rank, w: 2 * n });
  let factors = new Float32Array(0);
  let inside = new Float32Array(0);
  let corrections = new Float32Array(0);
  return {
    async precondition(columns, images) {
      const count = columns.length;
      if (factors.length < rank * count) {
        factors = new Float32Array(rank * count);
        inside = new Float32Array(rank * count);
        corrections = new Float32Array(2 * n * count);
      }
      const shares = columns.map(({ curvatureSum }, a) => {
        const bend = curvatureSum / n;
        const share = 1 / (1 + bend * tail);
        for (let q = 0; q < rank; q++) factors[a * rank + q] = 1 / (1 + bend * values[q]!) - share;
        return share;
      });
      await filter.apply(images, factors, count, inside, corrections);
      return columns.map(({ interceptResidual, curvatureSum }, a) => {
        const intercept = interceptResidual / (curvatureSum + Number.MIN_VALUE);
        let extraEnergy = interceptResidual * intercept;
        for (let at = a * rank; at < (a + 1) * rank; at++) {
          // rounded as the correction is, which almost cancels the residual's own energy there
          extraEnergy += inside[at]! * Math.fround(inside[at]! * factors[at]!);
        }
        return {
          share: shares[a]!,
          intercept,
          extraEnergy,
          corrections: corrections.subarray(2 * a * n, 2 * (a + 1) * n),
        };
      });
    },
    [Symbol.asyncDispose]: () => filter[Symbol.asyncDispose](),
  };
}
