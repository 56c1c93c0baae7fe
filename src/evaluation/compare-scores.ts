import { aurocComponents, rankedAuroc, rankScores } from "../math/auroc.ts";
import { createRng } from "../math/rng.ts";
import { sum } from "../math/vector.ts";
import { hasBothClasses } from "../probes/split-questions.ts";
import { type BootstrapResult, bootstrapInterval } from "./bootstrap-interval.ts";
import { DEFAULT_PERMUTATIONS, type InferenceOptions } from "./evaluate-score.ts";

/** Two scores of a split compared on the rows that have both. */
export interface PairedComparison<Name extends string = string> extends PairedTestResult {
  readonly first: Name;
  readonly second: Name;
  readonly row_count: number;
  /** The p-value after Holm's correction for all comparisons of the first score. */
  readonly p_value_holm: number | null;
}

/**
 * Compares one score with others, each on the rows that have both, where these have both labels.
 * @param scores each [n], higher = more uncertain, NaN where there is none
 * @param labels [n]
 * @returns Holm's correction is for these comparisons
 */
export function compareScores<Name extends string>(
  first: Name,
  others: readonly Name[],
  scores: Readonly<Record<Name, Float64Array>>,
  labels: Uint8Array,
  questionIds: readonly string[],
  options: InferenceOptions = {},
): PairedComparison<Name>[] {
  const found = others.flatMap((second) => {
    const rows = Array.from(labels.keys()).filter(
      (row) => !Number.isNaN(scores[first][row]) && !Number.isNaN(scores[second][row]),
    );
    const own = rows.map((row) => labels[row]!);
    if (!hasBothClasses(own)) return [];
    const take = (name: Name): number[] => rows.map((row) => scores[name][row]!);
    const questions = rows.map((row) => questionIds[row]!);
    const result = pairedTest(take(first), take(second), own, questions, options);
    return [{ first, second, row_count: rows.length, ...result }];
  });
  const corrected = holmCorrect(found.map(({ p_value }) => p_value));
  return found.map((comparison, i) => ({ ...comparison, p_value_holm: corrected[i]! }));
}

/**
 * Holm's step-down correction: the probability of any false finding among all is at most the level.
 * @param pValues null where there was no test; not counted
 * @see Holm 1979, "A simple sequentially rejective multiple test procedure"
 */
export function holmCorrect(pValues: readonly (number | null)[]): (number | null)[] {
  const order = pValues
    .flatMap((value, i) => (value === null ? [] : [{ value, i }]))
    .sort((a, b) => a.value - b.value);
  const corrected: (number | null)[] = pValues.map(() => null);
  let largest = 0;
  order.forEach(({ value, i }, rank) => {
    largest = Math.max(largest, Math.min(1, value * (order.length - rank)));
    corrected[i] = largest;
  });
  return corrected;
}

/** Two scores of the same rows compared. */
export interface PairedTestResult {
  /** AUROC of the first score minus that of the second, with intervals from the same resamples of questions. */
  readonly auc_difference: BootstrapResult;
  /** Two-sided, for equal AUROCs; null for fewer than two questions. */
  readonly p_value: number | null;
  readonly permutations: number;
  readonly question_count: number;
}

/**
 * Do two scores find the positives of the same rows equally well? The AUROC difference is the sum of what each
 * question contributes (both scores' influences, and an equal share of the difference). If the scores are equally good,
 * a question's contribution is as likely to favour one as the other, so its sign is drawn at random: p = (1 + #{|drawn| >=
 * |observed|}) / (1 + permutations). Rows of a question stay together; ties and labels do not change.
 * @param first  [n] no NaN
 * @param second [n] no NaN
 * @param labels [n] 0 or 1, both present
 * @throws RangeError if lengths differ, a score is NaN or there is one class
 * @see Bandos, Rockette and Gur 2005, "A permutation test sensitive to differences in areas"; parts by question:
 * Obuchowski 1997; flipping signs of scores' parts: Hemerik, Goeman and Finos 2020
 */
export function pairedTest(
  first: ArrayLike<number>,
  second: ArrayLike<number>,
  labels: ArrayLike<number>,
  questionIds: readonly string[],
  { resamples, permutations = DEFAULT_PERMUTATIONS, seed = 42 }: InferenceOptions = {},
): PairedTestResult {
  const parts = partsByQuestion(
    { scores: first, labels, questionIds },
    { scores: second, labels, questionIds },
  );
  const ranked = rankScores(first);
  const otherRanked = rankScores(second);
  return {
    auc_difference: bootstrapInterval(
      questionIds,
      (weights) => rankedAuroc(ranked, labels, weights) - rankedAuroc(otherRanked, labels, weights),
      { method: "percentile", seed, ...(resamples === undefined ? {} : { resamples }) },
    ),
    p_value: signFlipTest(parts, { permutations, seed }),
    permutations,
    question_count: parts.length,
  };
}

/**
 * Two-sided test that independent parts are as likely to be positive as negative, which their sum is compared under:
 * p = (1 + #{|drawn| >= |observed|}) / (1 + permutations).
 * @param parts [Q] one per question
 * @returns null for fewer than two
 */
export function signFlipTest(
  parts: ArrayLike<number>,
  { permutations = DEFAULT_PERMUTATIONS, seed = 42 }: Pick<InferenceOptions, "permutations" | "seed"> = {},
): number | null {
  if (parts.length < 2) return null;
  const observed = Math.abs(sum(parts));
  const rng = createRng("paired-test", seed);
  let atLeast = 0;
  for (let i = 0; i < permutations; i++) {
    let drawn = 0;
    for (let part = 0; part < parts.length; part++) drawn += rng.next() < 0.5 ? parts[part]! : -parts[part]!;
    // Sums in another order may differ in the last bits and must count as equal.
    if (!(Math.abs(drawn) < observed - 1e-12)) atLeast++;
  }
  return (1 + atLeast) / (1 + permutations);
}

/** Rows with a score and a label each. */
export interface LabelledScores {
  /** [n] higher = more uncertain, no NaN */
  readonly scores: ArrayLike<number>;
  /** [n] 0 or 1, both present */
  readonly labels: ArrayLike<number>;
  /** [n] the question of each row, by a name that other rows share */
  readonly questionIds: readonly string[];
}

/**
 * {@link pairedTest} for scores of different answers to the same questions, such as those of two studies: each has rows and
 * labels of its own, and what is paired is the question. Intervals resample questions, with all their rows on both sides.
 * @returns null where no question is shared, or a side lacks a class among those that are
 */
export function pairedTestAcross(
  first: LabelledScores,
  second: LabelledScores,
  { resamples, permutations = DEFAULT_PERMUTATIONS, seed = 42 }: InferenceOptions = {},
): PairedTestResult | null {
  const others = new Set(second.questionIds);
  const shared = new Set(first.questionIds.filter((question) => others.has(question)));
  const [one, other] = [first, second].map((side) => restrict(side, shared)) as [
    LabelledScores,
    LabelledScores,
  ];
  if (!hasBothClasses(one.labels) || !hasBothClasses(other.labels)) return null;
  const count = one.questionIds.length;
  const ranked = rankScores(one.scores);
  const otherRanked = rankScores(other.scores);
  const parts = partsByQuestion(one, other);
  return {
    auc_difference: bootstrapInterval(
      [...one.questionIds, ...other.questionIds],
      (weights) =>
        rankedAuroc(ranked, one.labels, weights.subarray(0, count)) -
        rankedAuroc(otherRanked, other.labels, weights.subarray(count)),
      { method: "percentile", seed, ...(resamples === undefined ? {} : { resamples }) },
    ),
    p_value: signFlipTest(parts, { permutations, seed }),
    permutations,
    question_count: parts.length,
  };
}

function restrict(
  { scores, labels, questionIds }: LabelledScores,
  kept: ReadonlySet<string>,
): LabelledScores {
  const rows = [...questionIds.keys()].filter((row) => kept.has(questionIds[row]!));
  return {
    scores: rows.map((row) => scores[row]!),
    labels: rows.map((row) => labels[row]!),
    questionIds: rows.map((row) => questionIds[row]!),
  };
}

/** [Q] each question's contribution to the AUROC difference; they sum to it. */
function partsByQuestion(first: LabelledScores, second: LabelledScores): number[] {
  const one = aurocComponents(first.scores, first.labels);
  const other = aurocComponents(second.scores, second.labels);
  const parts = new Map<string, number>();
  const add = (question: string, part: number): void => {
    parts.set(question, (parts.get(question) ?? 0) + part);
  };
  first.questionIds.forEach((question, row) => {
    add(question, one.influences[row]!);
  });
  second.questionIds.forEach((question, row) => {
    add(question, -other.influences[row]!);
  });
  const share = (one.auroc - other.auroc) / parts.size;
  return [...parts.values()].map((part) => part + share);
}
