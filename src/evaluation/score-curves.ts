import { type RankedScores, rankScores } from "../math/auroc.ts";
import { quantiles } from "../math/quantile.ts";
import { createRng } from "../math/rng.ts";
import { createQuestionResampler, DEFAULT_RESAMPLES } from "./bootstrap-interval.ts";

/** A curve over `CURVE_GRID` with a band from resampled questions. */
export interface CurveBand {
  readonly y: readonly number[];
  /** 5% and 95% of the resampled curves at each point; empty if fewer than half of the resamples have a curve. */
  readonly low: readonly number[];
  readonly high: readonly number[];
}

/** A score's trade-offs, all over the same grid from 0 to 1. */
export interface ScoreCurves {
  /** True positive rate over false positive rate. */
  readonly roc: CurveBand;
  /** Precision over recall; at recall 0, of the highest scores. */
  readonly precision_recall: CurveBand;
  /** Share of label 1 among the least uncertain rows, over their share of all rows; at 0, of the lowest scores. */
  readonly risk_coverage: CurveBand;
}

/** Grid of all curves: 0, 0.02, …, 1. */
export const CURVE_GRID: readonly number[] = Array.from({ length: 51 }, (_, i) => i / 50);

const CURVE_NAMES = ["roc", "precision_recall", "risk_coverage"] as const;
/** Shares of counts differ from the grid in the last bits; a corner at a grid point must count as being there. */
const ROUNDING = 1e-9;
/** More than any plot shows. */
const DIGITS = 1e6;

/**
 * The curves of a score, with pointwise 90% bands from resampled questions.
 * @param scores [n] higher = more uncertain; rows where it is NaN are left out
 * @param labels [n] 1 = the uncertain case
 * @returns null where one class only has scores
 */
export function evaluateCurves(
  scores: Float64Array,
  labels: Uint8Array,
  questionIds: readonly string[],
  { resamples = DEFAULT_RESAMPLES, seed = 42 }: { readonly resamples?: number; readonly seed?: number } = {},
): ScoreCurves | null {
  const rows = Array.from(scores.keys()).filter((row) => !Number.isNaN(scores[row]));
  const own = Uint8Array.from(rows, (row) => labels[row]!);
  if (!own.includes(0) || !own.includes(1)) return null;
  const ranked = rankScores(rows.map((row) => scores[row]!));
  const resampler = createQuestionResampler(rows.map((row) => questionIds[row]!));
  const rng = createRng("curves", seed);
  const drawCurves = createCurveDrawer(ranked, own);
  const drawn = drawCurves(new Float64Array(rows.length).fill(1))!;
  const y = nameCurves((name) => Array.from(drawn[name], round));
  // [point, resample]: the values of a point are side by side
  const resampled = nameCurves(() => new Float64Array(CURVE_GRID.length * resamples));
  let count = 0;
  for (let each = 0; each < resamples; each++) {
    const curves = drawCurves(resampler.draw(rng));
    if (curves === null) continue;
    for (const name of CURVE_NAMES)
      for (let i = 0; i < CURVE_GRID.length; i++) resampled[name][i * resamples + count] = curves[name][i]!;
    count += 1;
  }
  const isKnown = count * 2 >= resamples && count > 0;
  const band = (name: (typeof CURVE_NAMES)[number]): CurveBand => {
    const ends = isKnown
      ? CURVE_GRID.map((_, i) =>
          quantiles(resampled[name].subarray(i * resamples, i * resamples + count), [0.05, 0.95]),
        )
      : [];
    return { y: y[name], low: ends.map(([low]) => round(low!)), high: ends.map(([, high]) => round(high!)) };
  };
  return {
    roc: band("roc"),
    precision_recall: band("precision_recall"),
    risk_coverage: band("risk_coverage"),
  };
}

type CurveValues<Values> = Readonly<Record<(typeof CURVE_NAMES)[number], Values>>;

const nameCurves = <Values>(make: (name: (typeof CURVE_NAMES)[number]) => Values): CurveValues<Values> => ({
  roc: make("roc"),
  precision_recall: make("precision_recall"),
  risk_coverage: make("risk_coverage"),
});

/**
 * Draws the curves of weighted rows; tied scores are a straight line, as if in random order.
 * @returns of the rows' weights: null if one class has no weight. The arrays are those of the next call, too
 */
function createCurveDrawer(
  { order, groupStarts }: RankedScores,
  labels: Uint8Array,
): (weights: Float64Array) => CurveValues<Float64Array> | null {
  const groups = groupStarts.length - 1;
  // Weight below each border between groups, from no row to all rows.
  const zeros = new Float64Array(groups + 1);
  const ones = new Float64Array(groups + 1);
  const curves = nameCurves(() => new Float64Array(CURVE_GRID.length));
  const { roc, precision_recall: precision, risk_coverage: risk } = curves;
  return (weights) => {
    for (let g = 0; g < groups; g++) {
      let [zero, one] = [zeros[g]!, ones[g]!];
      for (let i = groupStarts[g]!; i < groupStarts[g + 1]!; i++) {
        const row = order[i]!;
        if (labels[row] === 1) one += weights[row]!;
        else zero += weights[row]!;
      }
      zeros[g + 1] = zero;
      ones[g + 1] = one;
    }
    const [allZeros, allOnes] = [zeros[groups]!, ones[groups]!];
    if (allZeros === 0 || allOnes === 0) return null;
    let fromTop = groups;
    let byRecall = groups - 1;
    let fromBelow = 0;
    for (let i = 0; i < CURVE_GRID.length; i++) {
      const share = CURVE_GRID[i]!;
      // ROC: go down from the highest scores until the share of zeros lies above the border.
      while (fromTop > 0 && allZeros - zeros[fromTop - 1]! <= share * allZeros + ROUNDING) fromTop--;
      roc[i] = interpolateRate(zeros, ones, groups, fromTop, share);
      while (
        byRecall > 0 &&
        (allOnes - ones[byRecall]! < share * allOnes - ROUNDING || isEmpty(zeros, ones, byRecall, groups))
      )
        byRecall--;
      const called = allOnes - ones[byRecall]!;
      precision[i] = called / (called + allZeros - zeros[byRecall]!);
      const answered = share * (allZeros + allOnes);
      while (
        fromBelow < groups &&
        zeros[fromBelow]! + ones[fromBelow]! < Math.max(answered, Number.MIN_VALUE)
      )
        fromBelow++;
      risk[i] = riskAt(zeros, ones, fromBelow, answered);
    }
    return curves;
  };
}

/** No weight lies above the border. */
const isEmpty = (zeros: Float64Array, ones: Float64Array, border: number, groups: number): boolean =>
  zeros[groups]! + ones[groups]! - zeros[border]! - ones[border]! === 0;

/** The true positive rate where the false positive rate is `share`, between the borders `above` and the next lower. */
function interpolateRate(
  zeros: Float64Array,
  ones: Float64Array,
  groups: number,
  above: number,
  share: number,
): number {
  const [allZeros, allOnes] = [zeros[groups]!, ones[groups]!];
  const here = (allOnes - ones[above]!) / allOnes;
  if (above === 0) return here;
  const start = (allZeros - zeros[above]!) / allZeros;
  const width = (zeros[above]! - zeros[above - 1]!) / allZeros;
  const rise = (ones[above]! - ones[above - 1]!) / allOnes;
  return width > 0 ? here + (rise * (share - start)) / width : here;
}

/** Share of ones among the lowest `answered` rows, the group at the border by its mean. */
function riskAt(zeros: Float64Array, ones: Float64Array, border: number, answered: number): number {
  if (border === 0) return 0;
  const below = zeros[border - 1]! + ones[border - 1]!;
  const size = zeros[border]! + ones[border]! - below;
  const share = (ones[border]! - ones[border - 1]!) / size;
  return answered === 0 ? share : (ones[border - 1]! + (answered - below) * share) / answered;
}

const round = (value: number): number => Math.round(value * DIGITS) / DIGITS;
