import { principalComponents, shrinkVariances } from "../math/principal-components.ts";
import {
  FAMILIARITY_LEVEL,
  type FamiliaritySpace,
  FEWEST_VALIDATION_QUESTIONS,
  measureDistance,
} from "./familiarity.ts";
import type { Familiarity, Probe } from "./probe.ts";
import { applyScaler } from "./scaler.ts";

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
