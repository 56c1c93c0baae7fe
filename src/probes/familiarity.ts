import { principalComponents, shrinkVariances } from "../math/principal-components.ts";
import { meanStates } from "./pooling.ts";
import type { Familiarity, Probe } from "./probe.ts";
import { applyScaler } from "./scaler.ts";
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

/** A p-value at or below this is called unfamiliar, so one in twenty familiar questions is. */
const FAMILIARITY_LEVEL = 0.05;

/** Below this many validation questions no p-value reaches the level: the smallest is 1 / (n + 1). */
const FEWEST_VALIDATION_QUESTIONS: number = Math.ceil(1 / FAMILIARITY_LEVEL) - 1;

/**
 * Measures how far states are from those that the probe was fitted on.
 * @returns [n] one per row; null for a row with a NaN, and everywhere for a probe without familiarity
 * @throws SepError `probe-mismatch` as `scoreProbe`
 * @see Laxhammar and Falkman 2015, "Inductive conformal anomaly detection", for the p-value; Lee et al. 2018, "A simple
 *   unified framework for detecting out-of-distribution samples", for the distance
 */
export function measureFamiliarity(probe: Probe, input: ProbeInput): (FamiliarityAssessment | null)[] {
  const read = requireProbeInput(probe, input);
  const { familiarity, width } = probe;
  if (familiarity === null) {
    const count = input.features === "token-states" ? input.starts.length - 1 : read.length / width;
    return Array.from({ length: count }, () => null);
  }
  const values =
    input.features === "token-states" ? meanStates(probe, { values: read, starts: input.starts }) : read;
  return Array.from({ length: values.length / width }, (_, row) => assessState(probe, values, row));
}

/**
 * The same of one state, or of the mean state of a span that is pooled.
 * @param values [n, width] of which one row is assessed
 */
export function assessState(
  probe: Pick<Probe, "familiarity" | "mean" | "scale">,
  values: ArrayLike<number>,
  row = 0,
): FamiliarityAssessment | null {
  const { familiarity } = probe;
  if (familiarity === null) return null;
  const distance = measureDistance(probe, familiarity, values, row);
  if (Number.isNaN(distance)) return null;
  const { distances, level } = familiarity;
  const beyond = distances.reduce((count, other) => count + (other >= distance ? 1 : 0), 0);
  const p_value = (1 + beyond) / (1 + distances.length);
  return { distance, p_value, is_unfamiliar: p_value <= level };
}

/** Directions kept: more of them detect little more, and each takes as much of the file as a state. */
const MOST_DIRECTIONS = 32;
/** Questions per direction: variances of fewer are noise, even when shrunk. */
const QUESTIONS_PER_DIRECTION = 5;
/** Questions that the directions are fitted on; with more, the fit takes longer than the probe's and hardly changes. */
const MOST_QUESTIONS = 500;
/** A distance does not change when directions of nearly equal variance are mixed, so half the usual iterations suffice. */
const TURNS = 6;
/** Variances below this share of the mean one are rounding. */
const ROUNDING = 1e-9;

/** States that a probe reads, one per question, so that many samples of a question do not count as many. */
interface QuestionStates {
  /** [n, width] as the probe reads them */
  readonly training: Float32Array;
  /** [m, width] of questions that nothing was fitted on */
  readonly validation: Float32Array;
}

/** The record, or the reason why there is none. */
type FamiliarityChoice =
  | { readonly familiarity: Familiarity; readonly reason: null }
  | { readonly familiarity: null; readonly reason: string };

/**
 * Records what a probe's training states look like: their leading principal components in units of the probe's scaler,
 * Ledoit and Wolf's shrunk variances along them and the mean variance of the rest; and how far validation questions lie
 * from them.
 */
export function fitFamiliarity(
  probe: Pick<Probe, "mean" | "scale" | "width">,
  { training, validation }: QuestionStates,
): FamiliarityChoice {
  const { width } = probe;
  const validationCount = validation.length / width;
  if (validationCount < FEWEST_VALIDATION_QUESTIONS)
    return refuse(
      `${validationCount} validation questions have a state, but a level of ${FAMILIARITY_LEVEL} needs at least ${FEWEST_VALIDATION_QUESTIONS}`,
    );
  const rows = spread(training.length / width);
  const count = Math.min(MOST_DIRECTIONS, Math.floor(rows.length / QUESTIONS_PER_DIRECTION), width);
  if (count === 0)
    return refuse(
      `${rows.length} training questions have a state, but each direction needs ${QUESTIONS_PER_DIRECTION}`,
    );
  const scaler = { mean: Float64Array.from(probe.mean), scale: Float64Array.from(probe.scale) };
  const space = describeStates(applyScaler(scaler, training, rows), width, count);
  if (space === null) return refuse("all training states are the same");
  const distances = Float32Array.from({ length: validationCount }, (_, row) =>
    measureDistance(probe, space, validation, row),
  ).sort();
  return {
    familiarity: { ...space, training_questions: rows.length, distances, level: FAMILIARITY_LEVEL },
    reason: null,
  };
}

/** @returns null where the states do not differ */
function describeStates(
  standardised: Float32Array,
  width: number,
  count: number,
): (FamiliaritySpace & Pick<Familiarity, "shrinkage">) | null {
  const n = standardised.length / width;
  const { mean, directions, scores } = principalComponents(standardised, width, count, { turns: TURNS });
  const variances = scores.map((own) => own.reduce((sum, score) => sum + score * score, 0) / n);
  const total = totalVariance(standardised, mean);
  const kept = variances.flatMap((variance, k) => (variance > (ROUNDING * total) / width ? [k] : []));
  if (kept.length === 0) return null;
  const shrunk = shrinkVariances(kept.map((k) => scores[k]!));
  const explained = kept.reduce((sum, k) => sum + variances[k]!, 0);
  const others = Math.max(1, width - kept.length);
  const directionArray = new Float32Array(kept.length * width);
  for (const [at, k] of kept.entries()) directionArray.set(directions[k]!, at * width);
  return {
    centre: Float32Array.from(mean),
    directions: directionArray,
    variances: Float32Array.from(shrunk.variances),
    // a direction that training states never take is far away, but not infinitely
    residual_variance: Math.max((total - explained) / others, (ROUNDING * total) / width),
    shrinkage: shrunk.shrinkage,
  };
}

function totalVariance(values: Float32Array, mean: Float64Array): number {
  const width = mean.length;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - mean[i % width]!) ** 2;
  return (sum * width) / values.length;
}

/** All rows, or the most allowed, evenly spread over them. */
function spread(count: number): number[] {
  const taken = Math.min(count, MOST_QUESTIONS);
  return Array.from({ length: taken }, (_, i) => Math.floor((i * count) / taken));
}

const refuse = (reason: string): FamiliarityChoice => ({ familiarity: null, reason });

/** What distances are measured with. */
type FamiliaritySpace = Pick<Familiarity, "centre" | "directions" | "variances" | "residual_variance">;

/**
 * sqrt(sum_k (d_k · r)^2 / v_k + ||rest of r||^2 / residual variance), r = z - centre: the Mahalanobis distance by a
 * covariance that is the same in all directions beyond the leading ones. Rounded to float32, like the stored distances
 * that it is compared with.
 * @param values [n, width] of which one row is measured
 */
function measureDistance(
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
