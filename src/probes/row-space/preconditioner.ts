import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
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
  /** [2n, A] corrections of z in this column, and under them those of K z; null for none. */
  readonly corrections: Float32Array | null;
}

/** Preconditions the residuals of all active columns at once, given their images [n,A]. */
export type Preconditioner = (
  columns: readonly RowSpaceColumn[],
  images: Float32Array,
) => Promise<readonly Preconditioned[]>;

/**
 * Features are standardised, so each weight has a Hessian diagonal near 1 + sum of curvature, the unpenalised
 * intercept the sum alone: far smaller when C is small. Weighing it by their ratio puts all on one scale.
 */
export const balanceIntercept: Preconditioner = async (columns) =>
  columns.map(({ interceptResidual, curvatureSum }) => {
    const intercept = (interceptResidual * (1 + curvatureSum)) / (curvatureSum + Number.MIN_VALUE);
    return { share: 1, intercept, extraEnergy: interceptResidual * intercept, corrections: null };
  });

/**
 * Solves exactly in the deflated space, as if curvature were the same at all rows, and scales the rest as its
 * largest direction needs.
 */
export function createDeflatedPreconditioner(
  { rank, values, tail, duals, stacked }: Deflation,
  multiplier: MatrixMultiplier,
): Preconditioner {
  const n = duals.length / rank;
  let inside = new Float32Array(0);
  let corrections = new Float32Array(0);
  return async (columns, images) => {
    const count = columns.length;
    if (inside.length < rank * count) {
      inside = new Float32Array(rank * count);
      corrections = new Float32Array(2 * n * count);
    }
    // Projections of the weights Z^T residual on v_j = Z^T e_j, through the image: what the residual has outside the
    // rows' span would be rounding noise in a product with the residual itself.
    await multiplier.multiply(duals, images, inside, { m: rank, k: n, n: count, transposeB: false });
    const results = columns.map(({ interceptResidual, curvatureSum }, a) => {
      const bend = curvatureSum / n;
      const share = 1 / (1 + bend * tail);
      const intercept = interceptResidual / (curvatureSum + Number.MIN_VALUE);
      let extraEnergy = interceptResidual * intercept;
      for (let q = 0, at = a; q < rank; q++, at += count) {
        const along = inside[at]!;
        const corrected = along * (1 / (1 + bend * values[q]!) - share);
        inside[at] = corrected;
        extraEnergy += along * corrected;
      }
      return { share, intercept, extraEnergy, corrections };
    });
    await multiplier.multiply(stacked, inside, corrections, {
      m: 2 * n,
      k: rank,
      n: count,
      transposeB: false,
    });
    return results;
  };
}
