import { SepError } from "../errors.ts";
import { normalCdf, normalQuantile, studentQuantile } from "../math/distributions.ts";
import { quantiles } from "../math/quantile.ts";
import { createRng, type Rng } from "../math/rng.ts";
import { mean } from "../math/vector.ts";

/** A confidence interval. */
export interface ConfidenceInterval {
  /** e.g. 0.95 */
  readonly level: number;
  readonly low: number;
  readonly high: number;
}

/** What a bootstrap found. */
export interface BootstrapResult {
  readonly estimate: number;
  /** Empty if fewer than half of the resamples gave a number. */
  readonly intervals: readonly ConfidenceInterval[];
  readonly resamples: number;
  /** Resamples without a number, e.g. because they drew one class only; left out of the intervals. */
  readonly failed_resamples: number;
}

export interface BootstrapOptions {
  /**
   * `bca` corrects for bias and skewness, which an AUROC near 1 has. A difference of two AUROCs has little of either, and
   * the needless correction costs intervals of a few dozen questions 2 to 4% of coverage: use `percentile` there, which
   * does not correct.
   */
  readonly method?: "bca" | "percentile";
  readonly resamples?: number;
  readonly levels?: readonly number[];
  readonly seed?: number;
}

export const DEFAULT_RESAMPLES = 1000;
const DEFAULT_LEVELS: readonly number[] = [0.9, 0.95];
/** Its normal quantiles are finite, and no number of resamples distinguishes it from 1. */
const HIGHEST_LEVEL = 1 - 1e-12;
/** For statistics of order 1, as all here are. */
const ROUNDING = 1e-12;

/**
 * Bootstrap intervals that resample whole questions, since the samples of one question are not independent;
 * bias-corrected and accelerated (BCa) by default. The variance of resamples of Q questions is too small by (Q - 1) / Q,
 * and their tails are normal: the level is raised so that the interval is as wide as Student's t with Q - 1 degrees of
 * freedom requires.
 * @param questionIds [n] the question of each row
 * @param statistic   of the multiplicity of each row [n]; NaN where it does not exist
 * @throws SepError `too-few-questions` for no rows, `bad-option` if the statistic of the rows as they are is NaN
 * @see Efron 1987, "Better bootstrap confidence intervals"; scipy.stats.bootstrap; for the level, Hesterberg 2015,
 * "What teachers should know about the bootstrap", section 3.3
 */
export function bootstrapInterval(
  questionIds: readonly string[],
  statistic: (weights: Float64Array) => number,
  {
    method = "bca",
    resamples = DEFAULT_RESAMPLES,
    levels = DEFAULT_LEVELS,
    seed = 42,
  }: BootstrapOptions = {},
): BootstrapResult {
  const resampler = createQuestionResampler(questionIds);
  if (resampler.questionCount === 0) {
    throw new SepError("too-few-questions", "The bootstrap has no rows to resample. Add questions.");
  }
  const estimate = statistic(new Float64Array(questionIds.length).fill(1));
  if (Number.isNaN(estimate)) {
    throw new SepError(
      "bad-option",
      "The bootstrap's statistic is not a number on the original rows. Leave out rows without a value.",
    );
  }
  const rng = createRng("bootstrap", seed);
  const replicates = Array.from({ length: resamples }, () => statistic(resampler.draw(rng)));
  const usable = replicates.filter((replicate) => !Number.isNaN(replicate));
  const failed = resamples - usable.length;
  const leftOut =
    method === "percentile"
      ? []
      : Array.from({ length: resampler.questionCount }, (_, question) =>
          statistic(resampler.leaveOut(question)),
        );
  const intervalAt = (level: number): ConfidenceInterval =>
    method === "percentile"
      ? percentileInterval(usable, level)
      : bcaInterval(estimate, usable, leftOut, level);
  return {
    estimate,
    intervals:
      usable.length * 2 < resamples
        ? []
        : levels.map((level) => ({ ...intervalAt(raiseLevel(level, resampler.questionCount)), level })),
    resamples,
    failed_resamples: failed,
  };
}

function percentileInterval(replicates: readonly number[], level: number): ConfidenceInterval {
  const tail = (1 - level) / 2;
  const [low, high] = quantiles(replicates, [tail, 1 - tail]);
  return { level, low: low!, high: high! };
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
): ConfidenceInterval {
  // Sums in another order differ in the last bits; shares of few questions are often equal, and must count as equal.
  const below = replicates.filter((replicate) => replicate < estimate - ROUNDING).length;
  const atOrBelow = replicates.filter((replicate) => replicate <= estimate + ROUNDING).length;
  const share = (below + atOrBelow) / (2 * replicates.length);
  const tail = (1 - level) / 2;
  // With every resample on one side the correction would be infinite; the bias is unknown, so none is made.
  const bias = share > 0 && share < 1 ? normalQuantile(share) : 0;
  const acceleration = jackknifeAcceleration(leftOut.filter((value) => !Number.isNaN(value)));
  const adjust = (probability: number): number => {
    const shifted = bias + normalQuantile(probability);
    const stretch = 1 - acceleration * shifted;
    // Far out the formula passes its pole and would return on the other side; its limit there is 0 or 1.
    return stretch > 0 ? normalCdf(bias + shifted / stretch) : shifted > 0 ? 1 : 0;
  };
  const [low, high] = quantiles(replicates, [adjust(tail), adjust(1 - tail)]);
  return { level, low: low!, high: high! };
}

/** The level at which a normal interval is as wide as Student's, for the mean over this many questions. */
function raiseLevel(level: number, questions: number): number {
  if (questions < 2) return level;
  const width = Math.sqrt(questions / (questions - 1)) * studentQuantile((1 + level) / 2, questions - 1);
  return Math.min(2 * normalCdf(width) - 1, HIGHEST_LEVEL);
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

/** The rows of each question, ready to be drawn repeatedly. */
interface QuestionResampler {
  readonly questionCount: number;
  /**
   * Draws as many questions as there are, with replacement.
   * @returns [n] how often each row was drawn, all rows of a question equally often; overwritten by the next call
   */
  draw(rng: Rng): Float64Array;
  /** @returns [n] 1 for every row but those of one question; overwritten by the next call */
  leaveOut(question: number): Float64Array;
}

/**
 * Resamples whole questions, since the answers to one question are not independent of each other.
 * @param questionIds [n] the question of each row
 */
export function createQuestionResampler(questionIds: readonly string[]): QuestionResampler {
  const places = new Map<string, number>();
  const questionOf = Int32Array.from(questionIds, (question) => {
    const place = places.get(question) ?? places.size;
    places.set(question, place);
    return place;
  });
  const questionCount = places.size;
  const drawn = new Int32Array(questionCount);
  const weights = new Float64Array(questionIds.length);
  const weigh = (): Float64Array => {
    for (let row = 0; row < weights.length; row++) weights[row] = drawn[questionOf[row]!]!;
    return weights;
  };
  return {
    questionCount,
    draw(rng) {
      drawn.fill(0);
      for (let draw = 0; draw < questionCount; draw++) drawn[rng.integer(questionCount)]!++;
      return weigh();
    },
    leaveOut(question) {
      drawn.fill(1);
      drawn[question] = 0;
      return weigh();
    },
  };
}
