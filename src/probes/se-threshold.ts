import { SepError } from "../errors.ts";
import { median } from "../math/quantile.ts";
import type { ManifestWarning } from "../store/manifest.ts";

export const SE_THRESHOLD_METHODS = ["best-split", "median", "even"] as const;
export type SeThresholdMethod = (typeof SE_THRESHOLD_METHODS)[number];
/** A way to choose the threshold, or the threshold itself in nats. */
export type SeThresholdChoice = SeThresholdMethod | number;

/** Where semantic entropy counts as high: label = SE > threshold. Content of `se_threshold.json`. */
export interface SeThreshold {
  readonly method: SeThresholdMethod | "given";
  /** nats */
  readonly threshold: number;
  /** Questions at or below the threshold. */
  readonly low_count: number;
  /** Questions above it. */
  readonly high_count: number;
  /** How many candidate thresholds did equally well (the lowest is taken). */
  readonly tied_candidates: number;
  readonly warnings: readonly ManifestWarning[];
}

const CANDIDATES = 100;
/** The first candidate, just above zero: "any disagreement at all". */
const LOWEST_CANDIDATE = 1e-10;

/**
 * Chooses the threshold that makes semantic entropy a yes/no label.
 * - `best-split`: of 100 points from 1e-10 to the largest SE, the one minimising the two groups' sums of squares
 *   about their means (Kossen et al. 2024, gamma*).
 * - `median`: the median.
 * - `even`: of the same points, the one whose two groups are nearest in size.
 * @param entropies [Q] one value a *training question*, nats, >= 0
 * @throws SepError `too-few-questions` if Q = 0
 */
export function chooseSeThreshold(
  entropies: ArrayLike<number>,
  { method = "best-split" }: { readonly method?: SeThresholdChoice } = {},
): SeThreshold {
  if (entropies.length === 0) {
    throw new SepError(
      "too-few-questions",
      "There are no training questions to choose the semantic-entropy threshold from. Add questions.",
    );
  }
  const { threshold, tied } = chooseThreshold(entropies, method);
  const high = Array.from(entropies).filter((entropy) => entropy > threshold).length;
  const low = entropies.length - high;
  return {
    method: typeof method === "number" ? "given" : method,
    threshold,
    low_count: low,
    high_count: high,
    tied_candidates: tied,
    warnings: describeDegeneracy(threshold, low, high),
  };
}

function chooseThreshold(
  entropies: ArrayLike<number>,
  method: SeThresholdChoice,
): { threshold: number; tied: number } {
  if (typeof method === "number") return { threshold: method, tied: 1 };
  if (method === "median") return { threshold: median(entropies), tied: 1 };
  return searchCandidates(entropies, method);
}

function searchCandidates(
  entropies: ArrayLike<number>,
  method: "best-split" | "even",
): { threshold: number; tied: number } {
  const largest = Array.from(entropies).reduce((most, entropy) => Math.max(most, entropy), 0);
  if (largest <= LOWEST_CANDIDATE) return { threshold: 0, tied: 1 };
  const cost = method === "best-split" ? withinGroupSquares : sizeDifference;
  const candidates = Array.from(
    { length: CANDIDATES },
    (_, i) => LOWEST_CANDIDATE + ((largest - LOWEST_CANDIDATE) * i) / (CANDIDATES - 1),
  );
  const costs = candidates.map((candidate) => cost(entropies, candidate));
  const least = Math.min(...costs);
  const ties = candidates.filter((_, i) => costs[i] === least);
  return { threshold: ties[0]!, tied: ties.length };
}

function withinGroupSquares(entropies: ArrayLike<number>, threshold: number): number {
  const values = Array.from(entropies);
  return (
    squaresAboutMean(values.filter((entropy) => entropy <= threshold)) +
    squaresAboutMean(values.filter((entropy) => entropy > threshold))
  );
}

function squaresAboutMean(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length; // unused when there are none
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
}

function sizeDifference(entropies: ArrayLike<number>, threshold: number): number {
  const high = Array.from(entropies).filter((entropy) => entropy > threshold).length;
  return Math.abs(entropies.length - 2 * high);
}

function describeDegeneracy(threshold: number, low: number, high: number): ManifestWarning[] {
  const warnings: ManifestWarning[] = [];
  if (threshold <= LOWEST_CANDIDATE) {
    warnings.push({
      code: "se-threshold-zero",
      message: `The semantic-entropy threshold is ${threshold}: any disagreement between samples counts as high.`,
    });
  }
  if (low === 0 || high === 0) {
    warnings.push({
      code: "se-one-class",
      message:
        `All ${low + high} training questions are on one side of the semantic-entropy threshold ${threshold}: ` +
        "no SE probe can be trained, and its scores are null. Sample more answers, raise the temperature, or add questions of a different difficulty.",
    });
  }
  return warnings;
}
