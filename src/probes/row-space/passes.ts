import { transpose } from "../../math/transpose.ts";
import type { DesignMatrix } from "../design-matrix.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import { packPass } from "../products/packed-pass.ts";
import { createScratch, type Scratch } from "../products/scratch.ts";
import type { Preconditioned, RowSpaceColumn } from "./column.ts";
import type { Deflation } from "./deflation.ts";

/** Passes over the matrix, each of which serves all columns still at work. */
export interface Passes {
  /**
   * Takes the columns' images, K residual, and preconditions their residuals.
   * @param replaceImages puts more exact numbers in place of some columns' images, and of images [A,n], before they
   *   are used
   */
  take(
    columns: readonly RowSpaceColumn[],
    replaceImages: ((images: Float32Array) => void) | null,
  ): Promise<readonly Preconditioned[]>;
}

/**
 * Features are standardised, so each weight has a Hessian diagonal near 1 + sum of curvature, the unpenalised
 * intercept the sum alone: far smaller when C is small. Weighing it by their ratio puts all on one scale.
 */
export function createBalancedPasses(design: DesignMatrix, scratch: Scratch = createScratch()): Passes {
  return {
    async take(columns, replaceImages) {
      await takeImages(design, columns, replaceImages, scratch);
      return columns.map(({ interceptResidual, curvatureSum }) => {
        const intercept = (interceptResidual * (1 + curvatureSum)) / (curvatureSum + Number.MIN_VALUE);
        return { share: 1, intercept, extraEnergy: interceptResidual * intercept, corrections: null };
      });
    },
  };
}

/** With more rows, another copy of K would be of 100 MB and more. */
const ROWS_WORTH_PACKING = 5000;

/**
 * Solves exactly in the deflated space, as if curvature were the same at all rows, and scales the rest as its
 * largest direction needs.
 * @returns dispose them after use
 */
export async function createDeflatedPasses(
  multiplier: MatrixMultiplier,
  design: DesignMatrix,
  { rank, values, tail, duals, images: dualImages }: Deflation,
  scratch: Scratch = createScratch(),
): Promise<Passes & AsyncDisposable> {
  const n = design.rowCount;
  // Projections of the weights Z^T residual on v_j = Z^T e_j, through the image: what the residual has outside the
  // rows' span would be rounding noise in a product with the residual itself.
  const P = transpose(duals, rank, n);
  const Q = new Float32Array(2 * n * rank);
  for (let j = 0; j < rank; j++) {
    Q.set(duals.subarray(j * n, (j + 1) * n), 2 * j * n);
    Q.set(dualImages.subarray(j * n, (j + 1) * n), (2 * j + 1) * n);
  }
  // in one session with the rest, where images are never replaced on the way
  const isPacked = design.gram !== null && design.exact === null && n <= ROWS_WORTH_PACKING;
  const packed = await packPass(multiplier, { K: isPacked ? design.gram : null, P, Q }, { n, k: rank });
  return {
    async take(columns, replaceImages) {
      const count = columns.length;
      const factors = scratch.take("factors", rank * count);
      const inside = scratch.take("projections", rank * count);
      const corrections = scratch.take("corrections", 2 * n * count);
      const shares = columns.map(({ curvatureSum }, a) => {
        const bend = curvatureSum / n;
        const share = 1 / (1 + bend * tail);
        for (let q = 0; q < rank; q++) factors[a * rank + q] = 1 / (1 + bend * values[q]!) - share;
        return share;
      });
      const images = isPacked
        ? scratch.take("images", count * n)
        : await takeImages(design, columns, replaceImages, scratch);
      const x = isPacked ? gatherResiduals(columns, scratch) : images;
      await packed.run({ count, x, factors, images, inside, out: corrections });
      if (isPacked) setImages(columns, images);
      return columns.map(({ interceptResidual, curvatureSum }, a) => {
        const intercept = interceptResidual / (curvatureSum + Number.MIN_VALUE);
        let extraEnergy = interceptResidual * intercept;
        for (let at = a * rank; at < (a + 1) * rank; at++) {
          // rounded as the correction is, which almost cancels the residual's own energy there
          extraEnergy += inside[at]! * Math.fround(inside[at]! * factors[at]!);
        }
        const own = corrections.subarray(2 * a * n, 2 * (a + 1) * n);
        return { share: shares[a]!, intercept, extraEnergy, corrections: own };
      });
    },
    [Symbol.asyncDispose]: () => packed[Symbol.asyncDispose](),
  };
}

/** @returns [A,n] */
async function takeImages(
  design: DesignMatrix,
  columns: readonly RowSpaceColumn[],
  replaceImages: ((images: Float32Array) => void) | null,
  scratch: Scratch,
): Promise<Float32Array> {
  const images = scratch.take("images", columns.length * design.rowCount);
  await design.applyGram(gatherResiduals(columns, scratch), columns.length, images);
  setImages(columns, images);
  replaceImages?.(images);
  return images;
}

/** @returns [A,n] in float32 */
function gatherResiduals(columns: readonly RowSpaceColumn[], scratch: Scratch): Float32Array {
  const n = columns[0]!.residual.length;
  const residuals = scratch.take("residuals", columns.length * n);
  columns.forEach(({ residual }, a) => {
    residuals.set(residual, a * n);
  });
  return residuals;
}

function setImages(columns: readonly RowSpaceColumn[], images: Float32Array): void {
  columns.forEach(({ image }, a) => {
    image.set(images.subarray(a * image.length, (a + 1) * image.length));
  });
}
