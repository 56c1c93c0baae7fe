import { symmetricEigen } from "../math/symmetric-eigen.ts";
import { likeliestLabel } from "../meaning/nli-equivalence.ts";
import { type AffinityMatrix, type EntailmentMatrix, mapPairs, requireSquare } from "./pair-matrix.ts";

/** A function of the graph's Laplacian that spreads each sample over those near to it. */
export type GraphKernel =
  /** exp(-t L) */
  | { readonly name: "heat"; readonly t: number }
  /** (2 nu / kappa^2 I + L)^-nu */
  | { readonly name: "matern"; readonly nu: number; readonly kappa: number };

/** The kernels and parameters that the authors found best or took as their default. */
export const HEAT_KERNEL: GraphKernel = { name: "heat", t: 0.3 };
export const MATERN_KERNEL: GraphKernel = { name: "matern", nu: 1, kappa: 1 };

/**
 * The semantic graph: both directions' verdicts, entailment 1, neutral 1/2, contradiction 0, added up.
 * @param soft weighs by the three probabilities, as lm-polygraph does; else by the most probable of them, as published
 * @returns [K, K] in [0, 2]
 */
export function semanticGraph(
  entailment: EntailmentMatrix,
  { soft = false }: { readonly soft?: boolean } = {},
): AffinityMatrix {
  const weigh = (i: number, j: number): number => {
    const probs = entailment[i]![j]!;
    if (soft) return probs.entailment + probs.neutral / 2;
    return { entailment: 1, neutral: 0.5, contradiction: 0 }[likeliestLabel(probs)];
  };
  return mapPairs(entailment.length, (i, j) => weigh(i, j) + weigh(j, i));
}

/**
 * Kernel language entropy: the von Neumann entropy of the graph's kernel at unit diagonal and unit trace, over ln K.
 * @param W [K, K] edge weights from 0
 * @returns in [0, 1]; 0 for one sample
 * @throws RangeError if K = 0 or W is not square
 * @see Nikitin et al. 2024, "Kernel language entropy", sections 4 and 5
 */
export function kernelLanguageEntropy(W: AffinityMatrix, kernel: GraphKernel): number {
  requireSquare(W);
  const n = W.length;
  if (n === 1) return 0;
  const K = graphKernel(W, kernel);
  const roots = K.map((row, i) => Math.sqrt(row[i]!));
  const density = mapPairs(n, (i, j) => K[i]![j]! / (roots[i]! * roots[j]!) / n);
  const { values } = symmetricEigen(density);
  return values.reduce((sum, p) => (p > NEGLIGIBLE ? sum - p * Math.log(p) : sum), 0) / Math.log(n);
}

/** Eigenvalues that are 0 but for rounding; the reference has the same bound. */
const NEGLIGIBLE = 1e-8;

function graphKernel(W: AffinityMatrix, kernel: GraphKernel): number[][] {
  const n = W.length;
  // weights of a sample with itself cancel out of D - W
  const degrees = W.map((row, i) => row.reduce((sum, w, j) => (i === j ? sum : sum + w), 0));
  const { values, vectors } = symmetricEigen(mapPairs(n, (i, j) => (i === j ? degrees[i]! : -W[i]![j]!)));
  const images = values.map((value) =>
    kernel.name === "heat"
      ? Math.exp(-kernel.t * value)
      : ((2 * kernel.nu) / kernel.kappa ** 2 + value) ** -kernel.nu,
  );
  return mapPairs(n, (i, j) =>
    vectors.reduce((sum, vector, k) => sum + images[k]! * vector[i]! * vector[j]!, 0),
  );
}
