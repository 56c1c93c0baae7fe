import { rankedAuroc, rankScores } from "../math/auroc.ts";
import { bootstrapInterval, type ConfidenceInterval } from "./bootstrap-interval.ts";

/** An AUROC of some of the rows. */
export interface UnitAuroc {
  readonly unit_count: number;
  readonly question_count: number;
  /** null where there is one class. */
  readonly auroc: number | null;
  /** By resampling questions. */
  readonly intervals: readonly ConfidenceInterval[];
}

/** How well a score tells the uncertain parts of answers from the others. */
export interface UnitEvaluation {
  readonly answer_count: number;
  /** All parts of all answers against each other: answers that are uncertain throughout count for it. */
  readonly pooled: UnitAuroc;
  /**
   * Parts of one answer against each other only: the share of pairs of one answer that the score orders as the labels do,
   * ties half. null where no answer has both labels.
   */
  readonly within_answer: UnitAuroc & {
    /** Answers that have both labels. */
    readonly answer_count: number;
  };
  /** By how far into the answer a part is, in fifths of the answer's parts. */
  readonly over_position: readonly (UnitAuroc & { readonly from: number; readonly to: number })[];
}

/** Rows that are parts of answers. */
export interface UnitRows {
  /** [n] higher = more uncertain; rows where it is NaN are left out */
  readonly scores: Float64Array;
  /** [n] 1 = the uncertain case */
  readonly labels: Uint8Array;
  /** [n] what counts as one question */
  readonly questionGroups: readonly string[];
  /** [n] */
  readonly questionIds: readonly string[];
  /** [n] */
  readonly runIds: ArrayLike<number>;
  /** [n, 2] half-open, in tokens of the answer */
  readonly spans: ArrayLike<number>;
}

const FIFTHS = 5;

/** Evaluates a score of parts of answers, pooled, within answers, and over the position in the answer. */
export function evaluateUnits(
  { scores, labels, questionGroups, questionIds, runIds, spans }: UnitRows,
  options: { readonly resamples?: number; readonly seed?: number } = {},
): UnitEvaluation {
  const rows = Array.from(scores.keys()).filter((row) => !Number.isNaN(scores[row]));
  const answers = new Map<string, number[]>();
  for (const row of rows) {
    const key = JSON.stringify([questionIds[row], runIds[row]]);
    const own = answers.get(key);
    if (own === undefined) answers.set(key, [row]);
    else own.push(row);
  }
  const bins = Array.from({ length: FIFTHS }, (): number[] => []);
  for (const own of answers.values()) {
    own.sort((a, b) => spans[2 * a + 1]! - spans[2 * b + 1]! || spans[2 * a]! - spans[2 * b]!);
    own.forEach((row, i) => {
      bins[Math.floor((FIFTHS * (i + 0.5)) / own.length)]!.push(row);
    });
  }
  const pooled = (own: readonly number[]): UnitAuroc => {
    const ranked = own.length === 0 ? null : rankScores(own.map((row) => scores[row]!));
    const given = own.map((row) => labels[row]!);
    return estimate(
      own,
      (weights) => (ranked === null ? Number.NaN : rankedAuroc(ranked, given, weights)),
      questionGroups,
      options,
    );
  };
  const mixed = [...answers.values()].filter((own) => new Set(own.map((row) => labels[row])).size === 2);
  return {
    answer_count: answers.size,
    pooled: pooled(rows),
    within_answer: {
      ...evaluateWithin(mixed, { scores, labels, questionGroups }, options),
      answer_count: mixed.length,
    },
    over_position: bins.map((own, bin) => ({ from: bin / FIFTHS, to: (bin + 1) / FIFTHS, ...pooled(own) })),
  };
}

/** @param answers rows of each answer that has both labels */
function evaluateWithin(
  answers: readonly (readonly number[])[],
  { scores, labels, questionGroups }: Pick<UnitRows, "scores" | "labels" | "questionGroups">,
  options: { readonly resamples?: number; readonly seed?: number },
): UnitAuroc {
  const rows = answers.flat();
  const places = new Map(rows.map((row, place) => [row, place]));
  const parts = answers.map((own) => {
    const given = own.map((row) => labels[row]!);
    const positives = given.reduce((sum, label) => sum + label, 0);
    const area = rankedAuroc(rankScores(own.map((row) => scores[row]!)), given);
    return { place: places.get(own[0]!)!, area, pairs: positives * (own.length - positives) };
  });
  const share = (weights: Float64Array): number => {
    let [ordered, pairs] = [0, 0];
    for (const part of parts) {
      // all rows of an answer are of one question, and so equally often drawn
      const weight = weights[part.place]! * part.pairs;
      ordered += weight * part.area;
      pairs += weight;
    }
    return pairs > 0 ? ordered / pairs : Number.NaN;
  };
  return estimate(rows, share, questionGroups, options);
}

/** @param statistic of a weight for each of the rows */
function estimate(
  rows: readonly number[],
  statistic: (weights: Float64Array) => number,
  questionGroups: readonly string[],
  options: { readonly resamples?: number; readonly seed?: number },
): UnitAuroc {
  const questions = rows.map((row) => questionGroups[row]!);
  const counts = { unit_count: rows.length, question_count: new Set(questions).size };
  if (Number.isNaN(statistic(new Float64Array(rows.length).fill(1))))
    return { ...counts, auroc: null, intervals: [] };
  const { estimate: auroc, intervals } = bootstrapInterval(questions, statistic, options);
  return { ...counts, auroc, intervals };
}
