import { transpose } from "../../math/vector.ts";
import type { FeatureSource, Features } from "../../states/feature-source.ts";
import { applyScaler, measureMoments, mergeMoments, type Scaler, scalerOf } from "../scaler.ts";

/** Where the tokens of spans are; see {@link FeatureSource}. */
export type SpanSource = Extract<FeatureSource, { readonly kind: "spans" }>;

/** Whole spans with their tokens, as many as are worked on together. */
export interface TokenBlock {
  /** The first of its spans. */
  readonly first: number;
  /** [k + 1] where each span begins in the block's tokens, and the end of the last. */
  readonly starts: Int32Array;
  /** [T,width] standardised by `scaler` */
  readonly values: Float32Array;
  /** [width,T] the same, transposed */
  readonly turned: Float32Array;
}

/** The tokens of all spans of one sweep unit. */
export interface SpanTokens {
  readonly width: number;
  readonly spanCount: number;
  /** What the blocks are standardised by: all tokens. */
  readonly scaler: Scaler;
  /** What the fold's own tokens would be standardised by, without some folds. */
  scalerWithout(excluded: readonly number[]): Scaler;
  /** One block of each span's mean state, as a span of one token, standardised by `scaler`. */
  readonly means: TokenBlock;
  /** All blocks; read again from the file each time where they are too large to keep. */
  blocks(): AsyncIterable<TokenBlock>;
}

/** Tokens that are worked on together: their scores by 64 probes fit the CPU's cache. */
const BLOCK_TOKENS = 8192;
/** Bytes of tokens that are kept; more are read again in every pass. */
export const MOST_TOKEN_BYTES: number = 1 << 29;

/**
 * Prepares the tokens of spans for fits that go over them again and again.
 * @param foldOf       [N] fold of each span
 * @param readFeatures reads rows of a file
 * @param mostBytes    of tokens to keep in memory
 */
export async function openSpanTokens(
  source: SpanSource,
  foldOf: ArrayLike<number>,
  readFeatures: (source: FeatureSource) => Promise<Features>,
  { mostBytes = MOST_TOKEN_BYTES }: { readonly mostBytes?: number } = {},
): Promise<SpanTokens> {
  const plans = planBlocks(source.ranges);
  const folds = 1 + Math.max(...Array.from(foldOf));
  const moments = Array.from({ length: folds }, (): ReturnType<typeof measureMoments>[] => []);
  let means = new Float32Array(0);
  let width = 0;
  const read = async ({ first, starts }: BlockPlan): Promise<Float32Array> =>
    (
      await readFeatures({
        ...source,
        reads: "tokens",
        ranges: source.ranges.subarray(2 * first, 2 * (first + starts.length - 1)),
      })
    ).features;
  for (const plan of plans) {
    const values = await read(plan);
    width = values.length / plan.starts.at(-1)!;
    if (means.length === 0) means = new Float32Array(foldOf.length * width);
    for (let fold = 0; fold < folds; fold++) {
      const own = tokensWhere(plan, (span) => foldOf[span] === fold);
      if (own.length > 0) moments[fold]!.push(measureMoments(values, width, own));
    }
    addMeans(means, values, width, plan);
  }
  const scaler = scalerOf(mergeMoments(moments.flat()));
  const prepare = async (plan: BlockPlan): Promise<TokenBlock> => {
    const values = applyScaler(scaler, await read(plan), range(plan.starts.at(-1)!));
    return { ...plan, values, turned: transpose(values, plan.starts.at(-1)!, width) };
  };
  const tokens = plans.reduce((sum, { starts }) => sum + starts.at(-1)!, 0);
  const isKept = 2 * tokens * width * Float32Array.BYTES_PER_ELEMENT <= mostBytes;
  const kept: TokenBlock[] = [];
  if (isKept) for (const plan of plans) kept.push(await prepare(plan));
  const standardised = applyScaler(scaler, means, range(foldOf.length));
  return {
    width,
    spanCount: foldOf.length,
    scaler,
    scalerWithout: (excluded) =>
      scalerOf(mergeMoments(moments.flatMap((own, fold) => (excluded.includes(fold) ? [] : own)))),
    means: {
      first: 0,
      starts: range(foldOf.length + 1),
      values: standardised,
      turned: transpose(standardised, foldOf.length, width),
    },
    async *blocks() {
      if (isKept) yield* kept;
      else for (const plan of plans) yield await prepare(plan);
    },
  };
}

type BlockPlan = Pick<TokenBlock, "first" | "starts">;

/** @param ranges [N,2] */
function planBlocks(ranges: Int32Array): BlockPlan[] {
  const plans: BlockPlan[] = [];
  let first = 0;
  let starts = [0];
  const close = (next: number): void => {
    if (starts.length > 1) plans.push({ first, starts: Int32Array.from(starts) });
    first = next;
    starts = [0];
  };
  for (let span = 0; 2 * span < ranges.length; span++) {
    const size = ranges[2 * span + 1]! - ranges[2 * span]!;
    if (starts.at(-1)! + size > BLOCK_TOKENS) close(span);
    starts.push(starts.at(-1)! + size);
  }
  close(ranges.length / 2);
  return plans;
}

function tokensWhere({ first, starts }: BlockPlan, test: (span: number) => boolean): number[] {
  const tokens: number[] = [];
  for (let i = 0; i + 1 < starts.length; i++) {
    if (test(first + i)) for (let token = starts[i]!; token < starts[i + 1]!; token++) tokens.push(token);
  }
  return tokens;
}

function addMeans(
  means: Float32Array,
  values: Float32Array,
  width: number,
  { first, starts }: BlockPlan,
): void {
  const sum = new Float64Array(width);
  for (let i = 0; i + 1 < starts.length; i++) {
    sum.fill(0);
    for (let token = starts[i]!; token < starts[i + 1]!; token++)
      for (let j = 0; j < width; j++) sum[j] = sum[j]! + values[token * width + j]!;
    const count = starts[i + 1]! - starts[i]!;
    for (let j = 0; j < width; j++) means[(first + i) * width + j] = sum[j]! / count;
  }
}

const range = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);
