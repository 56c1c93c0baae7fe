import { sum } from "../math/vector.ts";
import { applyCalibration, type CalibrationMap } from "../probes/calibration.ts";
import { type BootstrapResult, bootstrapInterval } from "./bootstrap-interval.ts";
import type { InferenceOptions } from "./evaluate-score.ts";

/** How well calibrated probabilities are. */
export interface CalibrationQuality {
  readonly ece: number;
  readonly brier: number;
  /** Mean probability minus the share of label 1: above 0, the probabilities are too high on the whole. */
  readonly bias: BootstrapResult;
  /** Bins that have rows. */
  readonly bins: readonly ReliabilityBin[];
}

/** A probe's probabilities as they are, and after each map; null for a missing map. */
export interface CalibrationEvaluation extends CalibrationQuality {
  readonly platt: CalibrationQuality | null;
  readonly isotonic: CalibrationQuality | null;
}

/** The maps of one probe, fitted on validation rows; null where they could not be fitted. */
export interface CalibrationMaps {
  readonly platt: CalibrationMap | null;
  readonly isotonic: CalibrationMap | null;
}

/**
 * @param probabilities [n] of label 1; rows where it is NaN are left out
 * @param labels        [n]
 * @param questionIds   [n] what is resampled
 * @param maps          fitted on other rows than these
 * @returns null if no row has a probability
 */
export function evaluateCalibration(
  probabilities: Float64Array,
  labels: Uint8Array,
  questionIds: readonly string[],
  maps: CalibrationMaps,
  inference: InferenceOptions = {},
): CalibrationEvaluation | null {
  const rows = Array.from(probabilities.keys()).filter((row) => !Number.isNaN(probabilities[row]));
  if (rows.length === 0) return null;
  const own = rows.map((row) => probabilities[row]!);
  const ownLabels = rows.map((row) => labels[row]!);
  const questions = rows.map((row) => questionIds[row]!);
  const measure = (values: readonly number[]): CalibrationQuality => ({
    ece: expectedCalibrationError(values, ownLabels),
    brier: brierScore(values, ownLabels),
    bias: measureBias(values, ownLabels, questions, inference),
    bins: reliabilityBins(values, ownLabels),
  });
  const after = (map: CalibrationMap | null): CalibrationQuality | null =>
    map === null ? null : measure(own.map((probability) => applyCalibration(map, probability)));
  return { ...measure(own), platt: after(maps.platt), isotonic: after(maps.isotonic) };
}

function measureBias(
  probabilities: readonly number[],
  labels: readonly number[],
  questionIds: readonly string[],
  { resamples, seed }: InferenceOptions,
): BootstrapResult {
  const gaps = probabilities.map((probability, i) => probability - labels[i]!);
  return bootstrapInterval(
    questionIds,
    (weights) => gaps.reduce((total, gap, i) => total + weights[i]! * gap, 0) / sum(weights),
    {
      method: "percentile",
      ...(resamples === undefined ? {} : { resamples }),
      ...(seed === undefined ? {} : { seed }),
    },
  );
}

/** Ten bins: the resolution that a few hundred answers can fill. */
const DEFAULT_BINS = 10;

/**
 * Expected calibration error: mean over equal-width bins, by their share of rows, of |mean probability - share of
 * positives|.
 * @param probabilities [n] of label 1, in [0, 1]
 * @param labels        [n] 0 or 1
 * @returns in [0, 1]
 * @throws RangeError if n = 0, the lengths differ or a probability is outside [0, 1]
 * @see Guo et al. 2017, "On calibration of modern neural networks", equation 3
 */
export function expectedCalibrationError(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  { bins = DEFAULT_BINS }: { readonly bins?: number } = {},
): number {
  const gaps = reliabilityBins(probabilities, labels, { bins }).map(
    ({ row_count, mean_probability, positive_share }) =>
      row_count * Math.abs(mean_probability - positive_share),
  );
  return gaps.reduce((sum, gap) => sum + gap, 0) / labels.length;
}

/** Rows with similar probabilities. */
export interface ReliabilityBin {
  /** From here, and below `high`; the last bin includes 1. */
  readonly low: number;
  readonly high: number;
  readonly row_count: number;
  readonly mean_probability: number;
  /** Share of label 1. */
  readonly positive_share: number;
}

/**
 * The reliability diagram's data: bins of equal width, those without rows left out.
 * @param probabilities [n] of label 1, in [0, 1]
 * @param labels        [n] 0 or 1
 * @throws RangeError as {@link expectedCalibrationError}
 */
export function reliabilityBins(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  { bins = DEFAULT_BINS }: { readonly bins?: number } = {},
): ReliabilityBin[] {
  requireProbabilities(probabilities, labels);
  const sums = Array.from({ length: bins }, () => ({ rows: 0, probability: 0, positives: 0 }));
  for (let i = 0; i < labels.length; i++) {
    const bin = sums[Math.min(Math.floor(probabilities[i]! * bins), bins - 1)]!;
    bin.rows++;
    bin.probability += probabilities[i]!;
    bin.positives += labels[i]!;
  }
  return sums.flatMap(({ rows, probability, positives }, i) =>
    rows === 0
      ? []
      : [
          {
            low: i / bins,
            high: (i + 1) / bins,
            row_count: rows,
            mean_probability: probability / rows,
            positive_share: positives / rows,
          },
        ],
  );
}

/**
 * Brier score: mean squared difference between probability and label.
 * @param probabilities [n] of label 1, in [0, 1]
 * @param labels        [n] 0 or 1
 * @returns in [0, 1]; always answering the base rate r gives r (1 - r)
 * @throws RangeError if n = 0, the lengths differ or a probability is outside [0, 1]
 */
export function brierScore(probabilities: ArrayLike<number>, labels: ArrayLike<number>): number {
  requireProbabilities(probabilities, labels);
  let sum = 0;
  for (let i = 0; i < labels.length; i++) sum += (probabilities[i]! - labels[i]!) ** 2;
  return sum / labels.length;
}

function requireProbabilities(probabilities: ArrayLike<number>, labels: ArrayLike<number>): void {
  if (labels.length === 0 || labels.length !== probabilities.length) {
    throw new RangeError(`Got ${probabilities.length} probabilities for ${labels.length} labels.`);
  }
  for (let i = 0; i < probabilities.length; i++) {
    const value = probabilities[i]!;
    if (!(value >= 0 && value <= 1)) throw new RangeError(`Probability ${i} is ${value}, outside [0, 1].`);
  }
}
