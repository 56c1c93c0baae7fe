import { logistic } from "../../math/logistic.ts";
import { type Minimum, minimiseMany, type Slope } from "../../math/minimise.ts";
import type { SpanPooling } from "../pooling.ts";
import type { MatrixMultiplier } from "../products/matrix-multiplier.ts";
import type { Scaler } from "../scaler.ts";
import { type PoolRule, poolScores, type SpanColumn, spreadOfWindows } from "./pool-scores.ts";
import type { SpanTokens, TokenBlock } from "./token-blocks.ts";

/** One probe to fit. */
export interface PooledTask {
  /** Of the spans it is fitted on. */
  readonly scaler: Scaler;
  /** [N] what its score is fitted to: 0 or 1 for `logistic`. */
  readonly outcomes: ArrayLike<number>;
  /** [N] what each span's loss is multiplied by; 0 for those that are left out */
  readonly costs: Float64Array;
}

export interface PooledFit {
  /** [D] in units of the task's scaler */
  readonly coefficients: Float64Array;
  /** [D] of attention */
  readonly query: Float64Array | null;
  readonly intercept: number;
  /** [N] logits of all spans, those left out included, pooled as the probe will pool them */
  readonly scores: Float64Array;
  /** Of the last stage. */
  readonly minimum: Pick<Minimum, "relativeGradient" | "converged" | "evaluations">;
}

export interface FitPooledOptions {
  readonly loss: "logistic" | "squared";
  /** Largest norm of the gradient, relative to that of the weights. */
  readonly tolerance: number;
  /** Passes over the tokens for each stage. */
  readonly maxEvaluations: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * How sharp the soft maximum is in each stage, in units of one over the standard deviation of a span's scores. The first
 * is close to the mean, from whose optimum it starts; the last is within a tenth of that deviation of the maximum of 30 tokens.
 */
export const SHARPNESS_STAGES = [2, 8, 32] as const;

/**
 * Fits probes that pool the tokens of spans, side by side on the same passes over the tokens:
 * min over v, q, b of ½||v||² + ½||q||² + Σ_i costs_i loss(outcomes_i, pool_t(v·z_t + b; q·z_t)).
 *
 * The mean's optimum is the only one, and the others start from it: `attention` with q = 0, which weighs all tokens equally; the
 * maxima, which have no gradient where another token takes over, as soft maxima that become sharper stage by stage. These
 * two losses have several minima; the one found depends on nothing random.
 * @see Pinheiro and Collobert 2015, "From Image-level to Pixel-level Labeling with Convolutional Networks", equation 6, for
 *   the soft maximum; McKenzie et al. 2025 (see `POOLINGS`) for the probes
 */
export async function fitPooled(
  multiplier: MatrixMultiplier,
  tokens: SpanTokens,
  pooling: SpanPooling,
  tasks: readonly PooledTask[],
  options: FitPooledOptions,
): Promise<PooledFit[]> {
  const passes = createPasses(multiplier, tokens, tasks, options.loss);
  const mean: PoolRule = { pooling: { method: "mean", window: null }, sharpness: 0 };
  const starts = tasks.map(() => new Float64Array(tokens.width + 1));
  let minima = await minimiseMany(
    starts,
    (asked) => passes.evaluate(asked, () => mean, [tokens.means]),
    options,
  );
  if (pooling.method === "attention") {
    const begun = minima.map(({ point }) => {
      const wider = new Float64Array(2 * tokens.width + 1);
      wider.set(point);
      return wider;
    });
    const rule = { pooling, sharpness: Number.POSITIVE_INFINITY };
    minima = await minimiseMany(begun, (asked) => passes.evaluate(asked, () => rule), options);
  }
  for (const stage of isMaximum(pooling) ? SHARPNESS_STAGES : []) {
    const points = minima.map(({ point }) => point);
    const spreads = await passes.measureSpreads(points, { pooling, sharpness: 0 });
    const rules = spreads.map((spread) => ({ pooling, sharpness: spread > 0 ? stage / spread : stage }));
    minima = await minimiseMany(points, (asked) => passes.evaluate(asked, (index) => rules[index]!), options);
  }
  const points = minima.map(({ point }) => point);
  const scores = await passes.score(points, { pooling, sharpness: Number.POSITIVE_INFINITY });
  return minima.map(({ point, ...minimum }, task) => ({
    coefficients: point.slice(0, tokens.width),
    query: pooling.method === "attention" ? point.slice(tokens.width + 1) : null,
    intercept: point[tokens.width]!,
    scores: scores[task]!,
    minimum,
  }));
}

const isMaximum = ({ method }: SpanPooling): boolean => method === "max" || method === "rolling-max";

/** A task's numbers: coefficients [D], intercept, and for attention the query [D]. */
interface AskedPoint {
  readonly index: number;
  readonly point: Float64Array;
}

/** Passes over the tokens for some of the tasks at once. */
interface Passes {
  /** @param blocks other tokens than those of the spans */
  evaluate(
    asked: readonly AskedPoint[],
    ruleOf: (index: number) => PoolRule,
    blocks?: readonly TokenBlock[],
  ): Promise<Slope[]>;
  /** @returns [task][N] */
  score(points: readonly Float64Array[], rule: PoolRule): Promise<Float64Array[]>;
  /** @returns [task] mean spread within the spans that are fitted on */
  measureSpreads(points: readonly Float64Array[], rule: PoolRule): Promise<number[]>;
}

function createPasses(
  multiplier: MatrixMultiplier,
  tokens: SpanTokens,
  tasks: readonly PooledTask[],
  loss: FitPooledOptions["loss"],
): Passes {
  const { width, scaler: common } = tokens;
  // blocks are standardised by all tokens; ratios and shifts make the task's own units of them
  const units = tasks.map(({ scaler }) => ({
    ratio: common.scale.map((scale, j) => scale / scaler.scale[j]!),
    shift: common.mean.map((mean, j) => (mean - scaler.mean[j]!) / scaler.scale[j]!),
  }));
  const visit = async (
    asked: readonly AskedPoint[],
    blocks: Iterable<TokenBlock> | AsyncIterable<TokenBlock>,
    take: (block: TokenBlock, columns: Float32Array, columnCount: number) => Promise<void> | void,
  ): Promise<void> => {
    const perTask = asked[0]!.point.length > width + 1 ? 2 : 1;
    const columnCount = perTask * asked.length;
    const weights = new Float32Array(width * columnCount);
    for (const [a, { index, point }] of asked.entries()) {
      const { ratio } = units[index]!;
      for (let j = 0; j < width; j++) {
        weights[j * columnCount + a] = point[j]! * ratio[j]!;
        if (perTask === 2) weights[j * columnCount + asked.length + a] = point[width + 1 + j]! * ratio[j]!;
      }
    }
    for await (const block of blocks) {
      const count = block.starts.at(-1)!;
      const columns = new Float32Array(count * columnCount);
      await multiplier.multiply(block.values, weights, columns, {
        m: count,
        k: width,
        n: columnCount,
        transposeB: false,
      });
      await take(block, columns, columnCount);
    }
  };
  /** What every token's score of a task is less than it should be. */
  const offsetOf = ({ index, point }: AskedPoint): number => {
    let offset = point[width]!;
    for (let j = 0; j < width; j++) offset += point[j]! * units[index]!.shift[j]!;
    return offset;
  };
  const spansOf = ({
    first,
    starts,
  }: TokenBlock): { readonly span: number; readonly from: number; readonly count: number }[] =>
    Array.from({ length: starts.length - 1 }, (_, i) => ({
      span: first + i,
      from: starts[i]!,
      count: starts[i + 1]! - starts[i]!,
    }));
  const longest = (block: TokenBlock): number => Math.max(...spansOf(block).map(({ count }) => count));
  const columnOf = (
    columns: Float32Array,
    columnCount: number,
    a: number,
    { from, count }: { readonly from: number; readonly count: number },
    weightsAt: number,
  ): SpanColumn => ({
    scores: columns,
    // attention's logits are the columns behind those of the scores
    weights: weightsAt === 0 ? columns : columns.subarray(weightsAt),
    start: from * columnCount + a,
    stride: columnCount,
    count,
  });

  return {
    async evaluate(asked, ruleOf, blocks) {
      const perTask = asked[0]!.point.length > width + 1 ? 2 : 1;
      const offsets = asked.map(offsetOf);
      const results = asked.map(({ point }) => ({
        value: penalty(point, width),
        gradient: slopeOfPenalty(point, width),
      }));
      const shared = new Float64Array(asked.length);
      await visit(asked, blocks ?? tokens.blocks(), async (block, columns, columnCount) => {
        const spans = spansOf(block);
        const slopes = new Float64Array(longest(block));
        const weightSlopes = new Float64Array(slopes.length);
        for (const [a, { index }] of asked.entries()) {
          const { costs, outcomes } = tasks[index]!;
          const rule = ruleOf(index);
          const behind = perTask === 2 ? asked.length : 0;
          for (const place of spans) {
            const column = columnOf(columns, columnCount, a, place, behind);
            const { start, count } = column;
            const cost = costs[place.span]!;
            const pooled = cost === 0 ? 0 : poolScores(rule, column, slopes, weightSlopes) + offsets[a]!;
            const pull = cost === 0 ? 0 : cost * slopeOfLoss(loss, pooled, outcomes[place.span]!);
            if (cost !== 0) results[a]!.value += cost * lossAt(loss, pooled, outcomes[place.span]!);
            shared[a] = shared[a]! + pull;
            for (let t = 0; t < count; t++) {
              columns[start + t * columnCount] = pull === 0 ? 0 : pull * slopes[t]!;
              if (behind > 0)
                columns[start + behind + t * columnCount] = pull === 0 ? 0 : pull * weightSlopes[t]!;
            }
          }
        }
        const count = block.starts.at(-1)!;
        const sums = new Float32Array(width * columnCount);
        await multiplier.multiply(block.turned, columns, sums, {
          m: width,
          k: count,
          n: columnCount,
          transposeB: false,
        });
        for (const [a, { index }] of asked.entries()) {
          const { gradient } = results[a]!;
          const { ratio } = units[index]!;
          for (let j = 0; j < width; j++) {
            gradient[j] = gradient[j]! + ratio[j]! * sums[j * columnCount + a]!;
            if (perTask === 2)
              gradient[width + 1 + j] =
                gradient[width + 1 + j]! + ratio[j]! * sums[j * columnCount + asked.length + a]!;
          }
        }
      });
      for (const [a, { index }] of asked.entries()) {
        const { gradient } = results[a]!;
        // the tokens' weights of a span add up to 1, and their slopes by attention to 0
        for (let j = 0; j < width; j++) gradient[j] = gradient[j]! + shared[a]! * units[index]!.shift[j]!;
        gradient[width] = shared[a]!;
      }
      return results;
    },
    async score(points, rule) {
      const asked = points.map((point, index) => ({ index, point }));
      const offsets = asked.map(offsetOf);
      const found = points.map(() => new Float64Array(tokens.spanCount));
      await visit(asked, tokens.blocks(), (block, columns, columnCount) => {
        const slopes = new Float64Array(longest(block));
        const behind = columnCount - asked.length;
        for (const place of spansOf(block))
          for (const a of asked.keys())
            found[a]![place.span] =
              poolScores(rule, columnOf(columns, columnCount, a, place, behind), slopes, slopes) +
              offsets[a]!;
      });
      return found;
    },
    async measureSpreads(points, rule) {
      const asked = points.map((point, index) => ({ index, point }));
      const sums = points.map(() => ({ spread: 0, spans: 0 }));
      await visit(asked, tokens.blocks(), (block, columns, columnCount) => {
        for (const place of spansOf(block)) {
          for (const a of asked.keys()) {
            if (tasks[a]!.costs[place.span] === 0) continue;
            sums[a]!.spread += spreadOfWindows(rule, columnOf(columns, columnCount, a, place, 0));
            sums[a]!.spans += 1;
          }
        }
      });
      return sums.map(({ spread, spans }) => spread / Math.max(1, spans));
    },
  };
}

/** Half the squared weights, without the intercept. */
function penalty(point: Float64Array, width: number): number {
  let sum = 0;
  for (let j = 0; j < point.length; j++) if (j !== width) sum += point[j]! * point[j]!;
  return sum / 2;
}

function slopeOfPenalty(point: Float64Array, width: number): Float64Array {
  const gradient = Float64Array.from(point);
  gradient[width] = 0;
  return gradient;
}

function lossAt(loss: FitPooledOptions["loss"], score: number, outcome: number): number {
  if (loss === "squared") return (score - outcome) ** 2 / 2;
  return Math.max(score, 0) + Math.log1p(Math.exp(-Math.abs(score))) - outcome * score;
}

const slopeOfLoss = (loss: FitPooledOptions["loss"], score: number, outcome: number): number =>
  (loss === "squared" ? score : logistic(score)) - outcome;
