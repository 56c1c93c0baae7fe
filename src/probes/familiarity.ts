import type { Familiarity, Probe } from "./probe.ts";
import { type ProbeInput, requireProbeInput } from "./score-probe.ts";

/** How unlike the training states a state is. */
export interface FamiliarityAssessment {
  /** Shrunk Mahalanobis distance from the training states; dimensionless, at least 0. */
  readonly distance: number;
  /**
   * Conformal p-value: (1 + validation questions at this distance or beyond) / (1 + validation questions). For a question
   * drawn like them, it is at or below a level with at most that probability.
   */
  readonly p_value: number;
  readonly is_unfamiliar: boolean;
}

/** Its part in the JSON file; the rest are tensors. */
export type FamiliarityDescription = Pick<
  Familiarity,
  "level" | "residual_variance" | "shrinkage" | "training_questions"
>;

/** A p-value at or below this is called unfamiliar, so one in twenty familiar questions is. */
export const FAMILIARITY_LEVEL = 0.05;

/** Below this many validation questions no p-value reaches the level: the smallest is 1 / (n + 1). */
export const FEWEST_VALIDATION_QUESTIONS: number = Math.ceil(1 / FAMILIARITY_LEVEL) - 1;

/**
 * Measures how far states are from those that the probe was fitted on.
 * @returns [n] one per row; null for a row with a NaN, and everywhere for a probe without familiarity
 * @throws SepError `probe-mismatch` as `scoreProbe`
 * @see Laxhammar and Falkman 2015, "Inductive conformal anomaly detection", for the p-value; Lee et al. 2018, "A simple
 *   unified framework for detecting out-of-distribution samples", for the distance
 */
export function measureFamiliarity(probe: Probe, input: ProbeInput): (FamiliarityAssessment | null)[] {
  const values = requireProbeInput(probe, input);
  const { familiarity, width } = probe;
  return Array.from({ length: values.length / width }, (_, row) => {
    if (familiarity === null) return null;
    const distance = measureDistance(probe, familiarity, values, row);
    if (Number.isNaN(distance)) return null;
    const { distances, level } = familiarity;
    const beyond = distances.reduce((count, other) => count + (other >= distance ? 1 : 0), 0);
    const p_value = (1 + beyond) / (1 + distances.length);
    return { distance, p_value, is_unfamiliar: p_value <= level };
  });
}

/** What distances are measured with. */
export type FamiliaritySpace = Pick<Familiarity, "centre" | "directions" | "variances" | "residual_variance">;

/**
 * sqrt(sum_k (d_k · r)^2 / v_k + ||rest of r||^2 / residual variance), r = z - centre: the Mahalanobis distance by a
 * covariance that is the same in all directions beyond the leading ones. Rounded to float32, like the stored distances
 * that it is compared with.
 * @param values [n, width] of which one row is measured
 */
export function measureDistance(
  { mean, scale }: Pick<Probe, "mean" | "scale">,
  { centre, directions, variances, residual_variance }: FamiliaritySpace,
  values: ArrayLike<number>,
  row: number,
): number {
  const width = centre.length;
  const z = Float64Array.from(
    centre,
    (middle, j) => (values[row * width + j]! - mean[j]!) / scale[j]! - middle,
  );
  let rest = z.reduce((sum, each) => sum + each * each, 0);
  let squared = 0;
  for (const [k, variance] of variances.entries()) {
    let along = 0;
    for (let j = 0; j < width; j++) along += directions[k * width + j]! * z[j]!;
    squared += (along * along) / variance;
    rest -= along * along;
  }
  // rounding can make it slightly negative
  return Math.fround(Math.sqrt(squared + Math.max(0, rest) / residual_variance));
}
