import { type ProbeWeights, scoreRows } from "./probe-weights.ts";

/**
 * How the tokens of a span become one score, with s_t = coefficients · z_t + intercept:
 * - `mean`: the score of the mean state.
 * - `max`: the largest s_t.
 * - `rolling-max`: the largest mean of s_t over `window` tokens in a row; of a shorter span, the mean over all of it.
 * - `attention`: the mean of s_t weighted by softmax_t(query · z_t), one head.
 * @see McKenzie et al. 2025, "Detecting High-Stakes Interactions with Activation Probes", section 3
 */
export const POOLINGS = ["mean", "max", "rolling-max", "attention"] as const;
export type PoolingMethod = (typeof POOLINGS)[number];

/** How a probe pools the tokens that it reads. */
export interface SpanPooling {
  readonly method: PoolingMethod;
  /** Tokens that `rolling-max` takes the mean over; null for the others. */
  readonly window: number | null;
}

/** What of a probe decides the score of a span. */
export interface PoolingProbe extends ProbeWeights {
  readonly pooling?: SpanPooling;
}

/** The tokens of a span, taken one after the other; its score is that of the span that would end here. */
export interface SpanPool {
  readonly count: number;
  /** @param values an array that has the token's state [width] at `start` */
  add(values: ArrayLike<number>, start?: number): void;
  /** The logit of the tokens so far; NaN of none, and where a feature is NaN. */
  score(): number;
  /** @returns [width] mean state of the tokens so far */
  mean(): Float64Array;
  /** A pool of its own that goes on from here. */
  copy(): SpanPool;
}

/** @throws RangeError for a probe that does not pool */
export function createSpanPool(probe: PoolingProbe): SpanPool {
  const { pooling, mean: centre } = probe;
  if (pooling === undefined) throw new RangeError("the probe reads one token");
  return makePool(probe, pooling, {
    count: 0,
    sum: new Float64Array(centre.length),
    recent: [],
    peak: Number.NEGATIVE_INFINITY,
    // of attention: the largest weight's logarithm, and sums relative to it
    largest: Number.NEGATIVE_INFINITY,
    total: 0,
    weighted: 0,
  });
}

interface PoolState {
  count: number;
  sum: Float64Array;
  /** Scores of the last tokens, at most a window of them. */
  recent: number[];
  peak: number;
  largest: number;
  total: number;
  weighted: number;
}

function makePool(probe: PoolingProbe, pooling: SpanPooling, state: PoolState): SpanPool {
  const { method, window } = pooling;
  const width = probe.mean.length;
  const meanState = (): Float64Array => state.sum.map((each) => each / state.count);
  const addScore = (score: number): void => {
    const size = window ?? 1;
    state.recent.push(score);
    if (state.recent.length > size) state.recent.shift();
    const own = state.recent.reduce((sum, each) => sum + each, 0) / state.recent.length;
    // before a window is full, it is all of the span
    state.peak = state.count <= size ? own : Math.max(state.peak, own);
  };
  const addWeighted = (score: number, weight: number): void => {
    const largest = Math.max(state.largest, weight);
    const [before, own] = [Math.exp(state.largest - largest), Math.exp(weight - largest)];
    state.total = state.total * before + own;
    state.weighted = state.weighted * before + own * score;
    state.largest = largest;
  };
  return {
    get count() {
      return state.count;
    },
    add(values, start = 0) {
      state.count += 1;
      for (let j = 0; j < width; j++) state.sum[j] = state.sum[j]! + values[start + j]!;
      if (method === "mean") return;
      const score = project(probe, probe.coefficients, values, start) + probe.intercept;
      if (method === "attention") addWeighted(score, project(probe, probe.query!, values, start));
      else addScore(score);
    },
    score() {
      if (state.count === 0) return Number.NaN;
      if (method === "mean") return scoreRows(probe, meanState())[0]!;
      return method === "attention" ? state.weighted / state.total : state.peak;
    },
    mean: meanState,
    copy: () =>
      makePool(probe, pooling, { ...state, sum: Float64Array.from(state.sum), recent: [...state.recent] }),
  };
}

/** weights · z of the token's state that begins at `start` */
function project(
  { mean, scale }: ProbeWeights,
  weights: Float32Array,
  values: ArrayLike<number>,
  start: number,
): number {
  let sum = 0;
  for (let j = 0; j < weights.length; j++) sum += (weights[j]! * (values[start + j]! - mean[j]!)) / scale[j]!;
  return sum;
}

/** Several spans' tokens, one span after the other. */
export interface SpanValues {
  /** [T, width] */
  readonly values: ArrayLike<number>;
  /** [n + 1] where each span begins in the tokens, and the end of the last; ascending */
  readonly starts: ArrayLike<number>;
}

/** @returns [n] logits; NaN for a span without tokens, and where a feature is NaN */
export const scoreSpans = (probe: PoolingProbe, spans: SpanValues): Float64Array =>
  Float64Array.from(poolSpans(probe, spans), (pool) => pool.score());

/** @returns [n, width] the mean state of each span */
export function meanStates(probe: PoolingProbe, spans: SpanValues): Float32Array {
  const means = new Float32Array((spans.starts.length - 1) * probe.mean.length);
  let span = 0;
  for (const pool of poolSpans(probe, spans)) means.set(pool.mean(), probe.mean.length * span++);
  return means;
}

function* poolSpans(probe: PoolingProbe, { values, starts }: SpanValues): Generator<SpanPool> {
  for (let span = 0; span + 1 < starts.length; span++) {
    const pool = createSpanPool(probe);
    for (let token = starts[span]!; token < starts[span + 1]!; token++)
      pool.add(values, token * probe.mean.length);
    yield pool;
  }
}

/** What an artifact and a message call a place that is pooled: the place, and how. */
export const nameReading = (position: string, pooling: SpanPooling | null | undefined): string =>
  pooling == null
    ? position
    : `${position}:${pooling.method}${pooling.window === null ? "" : `-${pooling.window}`}`;
