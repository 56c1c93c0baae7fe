import { auroc } from "../math/auroc.ts";
import { fitLogisticRegression, predictLogOdds } from "../math/logistic-regression.ts";
import { mean } from "../math/vector.ts";
import { groupedStratifiedFolds, hasBothClasses } from "../probes/split-questions.ts";
import { fitTextRegression, hashTexts, scoreTexts } from "../probes/text-regression.ts";
import { COMBINED_NAMES, MOMENTS, type Moment, SCORE_INFO, type ScoreName } from "./score-names.ts";

/** What is known of answers without their hidden states; every list is over the same rows. */
export interface AnswerFacts {
  /** [n] what counts as one question. */
  readonly questionGroups: readonly string[];
  /** [n] 1 = the answer is wrong. */
  readonly incorrect: Uint8Array;
  /** [n] null where it is not known. */
  readonly questionTexts: readonly (string | null)[];
  /** [n] all that was generated; null where it is not known. */
  readonly answerTexts: readonly (string | null)[];
  /** [n] each, NaN where it is not known. */
  readonly measured: Readonly<Record<MeasuredName, Float64Array>>;
}

/** What is measured on an answer and needs no fit. */
export const MEASURED_NAMES = [
  "question_length",
  "first_token_entropy",
  "mean_think_entropy",
  "answer_length",
  "answer_nll",
  "mean_nll",
  "max_nll",
  "mean_token_entropy",
  "max_token_entropy",
  "naive_entropy",
  "p_false",
] as const;
export type MeasuredName = (typeof MEASURED_NAMES)[number];

/** Scores that are made of `AnswerFacts`. */
type BaselineName = Exclude<
  ScoreName,
  "accuracy_probe" | "se_probe" | "entropy_baseline" | "semantic_entropy" | "discrete_semantic_entropy"
>;
/** [n] each, higher = more uncertain, NaN where there is none. */
export type BaselineScores = Readonly<Record<BaselineName, Float64Array>>;

/** Folds over the training questions in which texts are scored for the combination. */
const FOLDS = 5;

/**
 * The scores that need no hidden states. What has to be fitted is fitted on the training answers: whether longer means wronger,
 * the regressions on texts, and the combinations of all that is known at a moment, for which the training texts are scored
 * out of fold, by question. What some training answers lack is no part of a combination.
 * @param splits to score
 */
export function scoreBaselines(
  train: AnswerFacts,
  splits: readonly AnswerFacts[],
  { seed = 42 }: { readonly seed?: number } = {},
): BaselineScores[] {
  const canFit = hasBothClasses(train.incorrect);
  const foldOf = canFit ? assignFolds(train, seed) : null;
  const texts = (["question_text", "answer_text"] as const).map((name) => ({
    name,
    ...fitTexts(name, train, splits, foldOf),
  }));
  const trainFeatures = featuresOf(
    train,
    Object.fromEntries(texts.map(({ name, train: own }) => [name, own])),
  );
  const combine = MOMENTS.map((moment) => ({
    moment,
    score: canFit ? fitCombination(moment, trainFeatures, train) : null,
  }));
  return splits.map((split, i) => {
    const { measured } = split;
    const [question, answer] = texts.map(({ held }) => held[i]!);
    const own = featuresOf(split, { question_text: question!, answer_text: answer! });
    const combined = Object.fromEntries(
      combine.map(({ moment, score }) => [COMBINED_NAMES[moment], score?.(own) ?? missing(split)]),
    ) as Record<(typeof COMBINED_NAMES)[Moment], Float64Array>;
    return {
      question_length: orient(measured.question_length, directionOf(train, "question_length")),
      question_text: question!,
      first_token_entropy: measured.first_token_entropy,
      answer_length: orient(measured.answer_length, directionOf(train, "answer_length")),
      answer_text: answer!,
      answer_nll: measured.answer_nll,
      mean_nll: measured.mean_nll,
      max_nll: measured.max_nll,
      mean_token_entropy: measured.mean_token_entropy,
      max_token_entropy: measured.max_token_entropy,
      naive_entropy: measured.naive_entropy,
      p_false: measured.p_false,
      ...combined,
    };
  });
}

const missing = ({ incorrect }: AnswerFacts): Float64Array =>
  new Float64Array(incorrect.length).fill(Number.NaN);

/** 1 if longer means more often wrong among the training answers, else -1; 0 where that cannot be told. */
function directionOf({ measured, incorrect }: AnswerFacts, name: MeasuredName): number {
  const rows = Array.from(incorrect.keys()).filter((row) => !Number.isNaN(measured[name][row]));
  const labels = rows.map((row) => incorrect[row]!);
  if (!hasBothClasses(labels)) return 0;
  return auroc(
    rows.map((row) => measured[name][row]!),
    labels,
  ) < 0.5
    ? -1
    : 1;
}

const orient = (values: Float64Array, direction: number): Float64Array =>
  values.map((value) => (direction === 0 ? Number.NaN : direction * value));

/** null for too few questions */
function assignFolds({ questionGroups, incorrect }: AnswerFacts, seed: number): Uint8Array | null {
  const folds = Math.min(FOLDS, new Set(questionGroups).size);
  return folds < 2 ? null : groupedStratifiedFolds(questionGroups, incorrect, folds, seed);
}

/** Log odds by the texts: of the training answers out of fold, of the others by all training answers. */
function fitTexts(
  name: "question_text" | "answer_text",
  train: AnswerFacts,
  splits: readonly AnswerFacts[],
  foldOf: Uint8Array | null,
): { readonly train: Float64Array; readonly held: readonly Float64Array[] } {
  const textsOf = (facts: AnswerFacts): readonly (string | null)[] =>
    name === "question_text" ? facts.questionTexts : facts.answerTexts;
  if (foldOf === null || [train, ...splits].some((facts) => textsOf(facts).includes(null)))
    return { train: missing(train), held: splits.map(missing) };
  const hashed = hashTexts(textsOf(train) as readonly string[]);
  const all = Array.from(train.incorrect.keys());
  const outOfFold = missing(train);
  for (const fold of new Set(foldOf)) {
    const rows = all.filter((row) => foldOf[row] !== fold);
    if (!hasBothClasses(rows.map((row) => train.incorrect[row]!))) continue;
    const scores = scoreTexts(hashed, fitTextRegression(hashed, train.incorrect, { rows }));
    for (const row of all) if (foldOf[row] === fold) outOfFold[row] = scores[row]!;
  }
  const regression = fitTextRegression(hashed, train.incorrect, { rows: all });
  return {
    train: outOfFold,
    held: splits.map((facts) => scoreTexts(hashTexts(textsOf(facts) as readonly string[]), regression)),
  };
}

type FeatureName = MeasuredName | "question_text" | "answer_text";
type Features = Readonly<Partial<Record<FeatureName, Float64Array>>>;

/** Lengths and likelihoods span orders of magnitude, which a linear model should not see as such. */
const featuresOf = ({ measured }: AnswerFacts, texts: Features): Features => ({
  ...measured,
  ...texts,
  question_length: measured.question_length.map(Math.log1p),
  answer_length: measured.answer_length.map(Math.log1p),
});

const FEATURES: readonly FeatureName[] = [...MEASURED_NAMES, "question_text", "answer_text"];

/** Neither further samples nor another pass; the reasoning's entropy counts once the reasoning is closed. */
function isPart(name: FeatureName, moment: Moment): boolean {
  const score = name === "mean_think_entropy" ? "entropy_baseline" : name;
  const { kind, moment: known } = SCORE_INFO[score];
  return kind !== "sampling" && known !== null && MOMENTS.indexOf(known) <= MOMENTS.indexOf(moment);
}

/** @returns scores rows by their features: log odds, NaN where a row lacks one; null if no feature is known of all */
function fitCombination(
  moment: Moment,
  train: Features,
  { incorrect }: AnswerFacts,
): ((features: Features) => Float64Array) | null {
  const used = FEATURES.filter((name) => isPart(name, moment) && isInformative(train[name]!));
  if (used.length === 0) return null;
  const scales = used.map((name) => {
    const values = train[name]!;
    const centre = mean(values);
    return { centre, spread: Math.sqrt(mean(values.map((value) => (value - centre) ** 2))) };
  });
  const standardise = (features: Features): Float64Array[] =>
    used.map((name, j) => features[name]!.map((value) => (value - scales[j]!.centre) / scales[j]!.spread));
  const fit = fitLogisticRegression(standardise(train), incorrect);
  return (features) => {
    const columns = standardise(features);
    return Float64Array.from(columns[0]!, (_, row) => predictLogOdds(fit, columns, row));
  };
}

const isInformative = (values: Float64Array): boolean =>
  values.every(Number.isFinite) && values.some((value) => value !== values[0]);
