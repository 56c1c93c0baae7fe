import type { SpanPooling } from "../pooling.ts";

/** What is made of the tokens' scores in one pass over them. */
export interface PoolRule {
  readonly pooling: SpanPooling;
  /**
   * Of a maximum: how sharp it is, (1/r) ln mean exp(r u) over its windows' means u. 0 is their mean, and infinity
   * the maximum itself.
   */
  readonly sharpness: number;
}

/** Scores of one span's tokens, in a column of a larger matrix. */
export interface SpanColumn {
  readonly scores: Float32Array;
  /** Logarithms of the tokens' weights, of attention; else unused. */
  readonly weights: Float32Array;
  /** Where the span's first token is in both, and how far its next one is. */
  readonly start: number;
  readonly stride: number;
  readonly count: number;
}

/**
 * Pools a span's scores, and says what each token has to do with the result.
 * @param slopes       [count] derivatives with respect to the scores are written here
 * @param weightSlopes [count] the same for the logarithms of the weights
 * @returns the pooled score, without offsets: all rules commute with adding a number to every score
 */
export function poolScores(
  { pooling, sharpness }: PoolRule,
  column: SpanColumn,
  slopes: Float64Array,
  weightSlopes: Float64Array,
): number {
  const { method, window } = pooling;
  if (method === "attention") return attend(column, slopes, weightSlopes);
  if (method === "mean" || sharpness === 0) return takeMean(column, slopes);
  return takeMaximum(column, Math.min(window ?? 1, column.count), sharpness, slopes);
}

function takeMean({ scores, start, stride, count }: SpanColumn, slopes: Float64Array): number {
  let sum = 0;
  for (let t = 0; t < count; t++) {
    sum += scores[start + t * stride]!;
    slopes[t] = 1 / count;
  }
  return sum / count;
}

function attend(
  { scores, weights, start, stride, count }: SpanColumn,
  slopes: Float64Array,
  weightSlopes: Float64Array,
): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let t = 0; t < count; t++) largest = Math.max(largest, weights[start + t * stride]!);
  let total = 0;
  for (let t = 0; t < count; t++) {
    slopes[t] = Math.exp(weights[start + t * stride]! - largest);
    total += slopes[t]!;
  }
  let pooled = 0;
  for (let t = 0; t < count; t++) {
    slopes[t] = slopes[t]! / total;
    pooled += slopes[t]! * scores[start + t * stride]!;
  }
  for (let t = 0; t < count; t++) weightSlopes[t] = slopes[t]! * (scores[start + t * stride]! - pooled);
  return pooled;
}

function takeMaximum(
  { scores, start, stride, count }: SpanColumn,
  window: number,
  sharpness: number,
  slopes: Float64Array,
): number {
  const places = count - window + 1;
  // the means first lie where the slopes will be
  let largest = Number.NEGATIVE_INFINITY;
  let best = 0;
  let sum = 0;
  for (let t = 0; t < count; t++) {
    sum += scores[start + t * stride]!;
    if (t < window - 1) continue;
    const own = sum / window;
    const place = t - window + 1;
    slopes[place] = own;
    if (own > largest) {
      largest = own;
      best = place;
    }
    sum -= scores[start + place * stride]!;
  }
  let total = 1;
  if (sharpness === Number.POSITIVE_INFINITY) {
    slopes.fill(0, 0, places);
    slopes[best] = 1;
  } else {
    total = 0;
    for (let place = 0; place < places; place++) {
      slopes[place] = Math.exp(sharpness * (slopes[place]! - largest));
      total += slopes[place]!;
    }
  }
  spreadWindows(slopes, count, window, total);
  return sharpness === Number.POSITIVE_INFINITY ? largest : largest + Math.log(total / places) / sharpness;
}

/** From the windows' weights to those of their tokens, from the last token on, since they share an array. */
function spreadWindows(slopes: Float64Array, count: number, window: number, total: number): void {
  const places = count - window + 1;
  if (window === 1) {
    for (let t = 0; t < count; t++) slopes[t] = slopes[t]! / total;
    return;
  }
  let sum = 0;
  // window p holds tokens p .. p + window - 1, so token t is in the windows t - window + 1 .. t
  const own = slopes.slice(0, places);
  for (let t = 0; t < count; t++) {
    if (t < places) sum += own[t]!;
    if (t >= window) sum -= own[t - window]!;
    slopes[t] = sum / (total * window);
  }
}

/** Standard deviation of a span's windows' means, which is what a maximum's sharpness is relative to. */
export function spreadOfWindows({ pooling: { window } }: PoolRule, column: SpanColumn): number {
  const { scores, start, stride, count } = column;
  const size = Math.min(window ?? 1, count);
  let [sum, total, squares] = [0, 0, 0];
  for (let t = 0; t < count; t++) {
    sum += scores[start + t * stride]!;
    if (t < size - 1) continue;
    const own = sum / size;
    total += own;
    squares += own * own;
    sum -= scores[start + (t - size + 1) * stride]!;
  }
  const places = count - size + 1;
  return Math.sqrt(Math.max(0, squares / places - (total / places) ** 2));
}
