import { transpose } from "../../math/vector.ts";
import type { DesignMatrix } from "../design-matrix.ts";
import { type MatrixMultiplier, packPass } from "../products/matrix-multiplier.ts";
import { createScratch, type Scratch } from "../products/scratch.ts";
import type { Deflation } from "./deflation.ts";
import type { Preconditioned, Regression } from "./regression.ts";

/** Passes over the matrix; each serves all unfinished regressions. */
export interface Passes {
  /**
   * Multiplies the regressions' residuals by the Gram matrix, and preconditions them.
   * @param replaceProducts puts more exact numbers in place of some of the products [A,n], before they are used
   */
  take(
    regressions: readonly Regression[],
    replaceProducts: ((products: Float32Array) => void) | null,
  ): Promise<readonly Preconditioned[]>;
}

/**
 * Features are standardised, so each weight has a Hessian diagonal near 1 + sum of curvature, the unpenalised
 * intercept the sum alone: far smaller when C is small. Weighing it by their ratio puts all on one scale.
 */
export function createBalancedPasses(design: DesignMatrix, scratch: Scratch = createScratch()): Passes {
  return {
    async take(regressions, replaceProducts) {
      await applyGramToResiduals(design, regressions, replaceProducts, scratch);
      return regressions.map(({ interceptResidual, curvatureSum }) => {
        const intercept = (interceptResidual * (1 + curvatureSum)) / (curvatureSum + Number.MIN_VALUE);
        return { share: 1, intercept, extraEnergy: interceptResidual * intercept, corrections: null };
      });
    },
  };
}

/** With more rows, another copy of the Gram matrix would take 100 MB or more. */
const ROWS_WORTH_PACKING = 5000;

/**
 * Solves exactly in the deflated space, as if curvature were the same at all rows, and scales the rest as its
 * largest direction needs.
 * @returns dispose them after use
 */
export async function createDeflatedPasses(
  multiplier: MatrixMultiplier,
  design: DesignMatrix,
  { rank, values, tail, duals, gramDuals }: Deflation,
  scratch: Scratch = createScratch(),
): Promise<Passes & AsyncDisposable> {
  const n = design.rowCount;
  // Projections of the weights Z^T residual on v_j = Z^T e_j, through K residual: what the residual has outside the
  // rows' span would be rounding noise in a product with the residual itself.
  const P = transpose(duals, rank, n);
  const Q = new Float32Array(2 * n * rank);
  for (let j = 0; j < rank; j++) {
    Q.set(duals.subarray(j * n, (j + 1) * n), 2 * j * n);
    Q.set(gramDuals.subarray(j * n, (j + 1) * n), (2 * j + 1) * n);
  }
  // in one session with the rest, where products are never replaced on the way
  const isPacked = design.gram !== null && design.exact === null && n <= ROWS_WORTH_PACKING;
  const packed = await packPass(multiplier, { K: isPacked ? design.gram : null, P, Q }, { n, k: rank });
  return {
    async take(regressions, replaceProducts) {
      const count = regressions.length;
      const factors = scratch.take("factors", rank * count);
      const inside = scratch.take("projections", rank * count);
      const corrections = scratch.take("corrections", 2 * n * count);
      const shares = regressions.map(({ curvatureSum }, a) => {
        const bend = curvatureSum / n;
        const share = 1 / (1 + bend * tail);
        for (let q = 0; q < rank; q++) factors[a * rank + q] = 1 / (1 + bend * values[q]!) - share;
        return share;
      });
      const products = isPacked
        ? scratch.take("Gram products", count * n)
        : await applyGramToResiduals(design, regressions, replaceProducts, scratch);
      const x = isPacked ? gatherResiduals(regressions, scratch) : products;
      await packed.run({ count, x, factors, images: products, inside, out: corrections });
      if (isPacked) storeProducts(regressions, products);
      return regressions.map(({ interceptResidual, curvatureSum }, a) => {
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
async function applyGramToResiduals(
  design: DesignMatrix,
  regressions: readonly Regression[],
  replaceProducts: ((products: Float32Array) => void) | null,
  scratch: Scratch,
): Promise<Float32Array> {
  const products = scratch.take("Gram products", regressions.length * design.rowCount);
  await design.applyGram(gatherResiduals(regressions, scratch), regressions.length, products);
  storeProducts(regressions, products);
  replaceProducts?.(products);
  return products;
}

/** @returns [A,n] in float32 */
function gatherResiduals(regressions: readonly Regression[], scratch: Scratch): Float32Array {
  const n = regressions[0]!.residual.length;
  const residuals = scratch.take("residuals", regressions.length * n);
  regressions.forEach(({ residual }, a) => {
    residuals.set(residual, a * n);
  });
  return residuals;
}

function storeProducts(regressions: readonly Regression[], products: Float32Array): void {
  regressions.forEach(({ gramResidual }, a) => {
    gramResidual.set(products.subarray(a * gramResidual.length, (a + 1) * gramResidual.length));
  });
}
