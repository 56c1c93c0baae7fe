import { SepError } from "../errors.ts";
import { normalCdf, normalQuantile } from "../math/normal.ts";
import { quantile } from "../math/quantile.ts";
import { createRng } from "../math/rng.ts";
import { mean } from "../math/vector.ts";

/** A confidence interval. */
export interface Interval {
  /** e.g. 0.95 */
  readonly level: number;
  readonly low: number;
  readonly high: number;
}

/** What a bootstrap found. */
export interface BootstrapResult {
  readonly estimate: number;
  /** Empty if fewer than half of the resamples gave a number. */
  readonly intervals: readonly Interval[];
  readonly resamples: number;
  /** Resamples without a number, e.g. because they drew one class only; left out of the intervals. */
  readonly failed_resamples: number;
}

export interface BootstrapOptions {
  readonly resamples?: number;
  readonly levels?: readonly number[];
  readonly seed?: number;
}

export const DEFAULT_RESAMPLES = 1000;
const DEFAULT_LEVELS: readonly number[] = [0.9, 0.95];

/**
 * Bias-corrected and accelerated (BCa) bootstrap intervals that resample whole questions, since the samples of one
 * question are not independent.
 * @param questionIds [n] the question of each row
 * @param statistic   of the multiplicity of each row [n]; NaN where it does not exist
 * @throws SepError `too-few-questions` for no rows, `bad-option` if the statistic of the rows as they are is NaN
 * @see Efron 1987, "Better bootstrap confidence intervals"; scipy.stats.bootstrap
 */
export function bootstrapInterval(
  questionIds: readonly string[],
  statistic: (weights: Float64Array) => number,
  { resamples = DEFAULT_RESAMPLES, levels = DEFAULT_LEVELS, seed = 42 }: BootstrapOptions = {},
): BootstrapResult {
  const questions = [...new Set(questionIds)];
  if (questions.length === 0) {
    throw new SepError("too-few-questions", "A bootstrap got no rows. Add questions.");
  }
  const placeOf = new Map(questions.map((question, place) => [question, place]));
  const questionOf = Int32Array.from(questionIds, (question) => placeOf.get(question)!);
  const weights = new Float64Array(questionIds.length);
  const weigh = (multiplicity: Int32Array): number => {
    for (let row = 0; row < weights.length; row++) weights[row] = multiplicity[questionOf[row]!]!;
    return statistic(weights);
  };
  const once = new Int32Array(questions.length).fill(1);
  const estimate = weigh(once);
  if (Number.isNaN(estimate)) {
    throw new SepError("bad-option", "A bootstrap's statistic is not a number on the rows themselves.");
  }
  const rng = createRng("bootstrap", seed);
  const replicates: number[] = [];
  const drawn = new Int32Array(questions.length);
  for (let resample = 0; resample < resamples; resample++) {
    drawn.fill(0);
    for (let draw = 0; draw < questions.length; draw++) drawn[rng.integer(questions.length)]!++;
    replicates.push(weigh(drawn));
  }
  const leftOut = questions.map((_, place) => weigh(once.map((one, other) => (other === place ? 0 : one))));
  const usable = replicates.filter((replicate) => !Number.isNaN(replicate));
  const failed = resamples - usable.length;
  return {
    estimate,
    intervals:
      usable.length * 2 < resamples
        ? []
        : levels.map((level) => bcaInterval(estimate, usable, leftOut, level)),
    resamples,
    failed_resamples: failed,
  };
}

/**
 * The BCa interval from resampled and leave-one-out statistics.
 * @param replicates [B] statistics of the resamples
 * @param leftOut    [Q] statistics with one question left out each; NaN ones are passed over
 * @see Efron and Tibshirani 1993, equations 14.9 to 14.15
 */
export function bcaInterval(
  estimate: number,
  replicates: readonly number[],
  leftOut: readonly number[],
  level: number,
): Interval {
  const below = replicates.filter((replicate) => replicate < estimate).length;
  const atOrBelow = replicates.filter((replicate) => replicate <= estimate).length;
  const share = (below + atOrBelow) / (2 * replicates.length);
  const tail = (1 - level) / 2;
  // With every resample on one side the correction is infinite; nothing is known about the bias, so none is made.
  const bias = share > 0 && share < 1 ? normalQuantile(share) : 0;
  const acceleration = jackknifeAcceleration(leftOut.filter((value) => !Number.isNaN(value)));
  const adjust = (probability: number): number => {
    const shifted = bias + normalQuantile(probability);
    return normalCdf(bias + shifted / (1 - acceleration * shifted));
  };
  return { level, low: quantile(replicates, adjust(tail)), high: quantile(replicates, adjust(1 - tail)) };
}

function jackknifeAcceleration(leftOut: readonly number[]): number {
  const centre = mean(leftOut);
  let squares = 0;
  let cubes = 0;
  for (const value of leftOut) {
    const deviation = centre - value;
    squares += deviation ** 2;
    cubes += deviation ** 3;
  }
  return squares > 0 ? cubes / (6 * squares ** 1.5) : 0;
}
