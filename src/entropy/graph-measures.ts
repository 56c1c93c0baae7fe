import { normalizedLaplacian, symmetricEigen } from "../math/symmetric-eigen.ts";
import { mean } from "../math/vector.ts";
import { likeliestLabel } from "../meaning/nli-equivalence.ts";
import { mutualEntailment, noncontradiction } from "./pair-measures.ts";
import { type AffinityMatrix, type EntailmentMatrix, mapPairs, requireSquare } from "./question-samples.ts";

/**
 * Degree matrix uncertainty: trace(K I - D) / K^2, the mean distance 1 - w_ij of all pairs of samples.
 * @param W [K, K] affinities in [0, 1]
 * @returns in [0, 1]
 * @throws RangeError if K = 0 or W is not square
 * @see Lin et al. 2024, equation 10, "Generating with confidence"; `DegMat` of lm-polygraph
 */
export function degreeMatrixUncertainty(W: AffinityMatrix): number {
  requireSquare(W);
  const affinity = W.flat().reduce((sum, w) => sum + w, 0);
  return 1 - affinity / W.length ** 2;
}

/**
 * EigV, a continuous number of meanings: sum max(0, 1 - lambda_k) over the eigenvalues of the normalised Laplacian.
 * @param W [K, K] affinities in [0, 1]
 * @returns 1 where all samples say the same, K where each stands alone
 * @throws RangeError if K = 0, W is not square, or a sample is unlike all, itself included
 * @see Lin et al. 2024, equation 9, "U_EigV"; `EigValLaplacian` of lm-polygraph
 */
export function eigenvalueCount(W: AffinityMatrix): number {
  requireSquare(W);
  return symmetricEigen(normalizedLaplacian(W)).values.reduce(
    (sum, value) => sum + Math.max(0, 1 - value),
    0,
  );
}

/**
 * Eccentricity: how far the samples lie from their centre, in the space of the Laplacian's eigenvectors whose
 * eigenvalues are below a threshold: the Frobenius norm of the centred coordinates.
 * @param W [K, K] affinities in [0, 1]
 * @returns from 0, where only the constant eigenvector is kept
 * @throws RangeError if K = 0, W is not square, or a sample is unlike all, itself included
 * @see Lin et al. 2024, equation 11, "U_Ecc"; `Eccentricity` of lm-polygraph
 */
export function eccentricity(W: AffinityMatrix): number {
  requireSquare(W);
  const { values, vectors } = symmetricEigen(normalizedLaplacian(W));
  const kept = vectors.filter((_, k) => values[k]! < EIGENVALUE_THRESHOLD);
  return Math.hypot(...kept.map(spread));
}

/** The authors' choice. */
const EIGENVALUE_THRESHOLD = 0.9;

/** Norm of a vector minus its mean. */
function spread(vector: readonly number[]): number {
  const centre = mean(vector);
  return Math.hypot(...vector.map((x) => x - centre));
}

/** A function of the graph's Laplacian that diffuses each sample over its neighbours. */
type GraphKernel =
  /** exp(-t L) */
  | { readonly name: "heat"; readonly t: number }
  /** (2 nu / kappa^2 I + L)^-nu */
  | { readonly name: "matern"; readonly nu: number; readonly kappa: number };

/** The kernels and parameters that the authors found best or use by default. */
export const HEAT_KERNEL: GraphKernel = { name: "heat", t: 0.3 };
export const MATERN_KERNEL: GraphKernel = { name: "matern", nu: 1, kappa: 1 };

/**
 * The semantic graph: both directions' verdicts, entailment 1, neutral 1/2, contradiction 0, summed.
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

/** Eigenvalues below are 0 up to rounding; the reference has the same bound. */
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

/**
 * Affinity by entailment: the mean of p(entailment) in both directions.
 * @see Lin et al. 2024, section 4.1, "agreement"
 */
export const entailmentAffinity = (entailment: EntailmentMatrix): AffinityMatrix =>
  mapPairs(entailment.length, mutualEntailment(entailment));

/**
 * Affinity by lack of contradiction: 1 minus the mean of p(contradiction) in both directions.
 * @see Lin et al. 2024, section 4.1, "disagreement"
 */
export const nonContradictionAffinity = (entailment: EntailmentMatrix): AffinityMatrix =>
  mapPairs(entailment.length, noncontradiction(entailment));

/**
 * Affinity by words: shared words over all words of the two, lower-case, split at white space. Samples without an
 * answer are alike and unlike any text.
 * @see Lin et al. 2024, section 4.1, "Jaccard"
 */
export function jaccardAffinity(answers: readonly (string | null)[]): AffinityMatrix {
  const words = answers.map((answer) =>
    answer === null ? null : new Set(answer.toLowerCase().split(/\s+/).filter(Boolean)),
  );
  return mapPairs(answers.length, (i, j) => {
    const [a, b] = [words[i]!, words[j]!];
    if (i === j || a === null || b === null) return Number(a === b);
    const shared = [...a].filter((word) => b.has(word)).length;
    const all = a.size + b.size - shared;
    return all === 0 ? 0 : shared / all;
  });
}

/** Affinity by embeddings: cosine similarity clipped at 0, since a graph has no negative edges. */
export function cosineAffinity(similarity: readonly (readonly number[])[]): AffinityMatrix {
  return mapPairs(similarity.length, (i, j) => Math.max(0, (similarity[i]![j]! + similarity[j]![i]!) / 2));
}
