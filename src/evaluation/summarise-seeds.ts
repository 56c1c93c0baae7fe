import { rankedAuroc, rankScores } from "../math/auroc.ts";
import { studentCdf, studentQuantile } from "../math/distributions.ts";
import { mean } from "../math/vector.ts";
import { hasBothClasses } from "../probes/split-questions.ts";
import { bootstrapInterval, type ConfidenceInterval } from "./bootstrap-interval.ts";
import type { InferenceOptions } from "./evaluate-score.ts";
import { HELD_OUT_SPLITS, type HeldOutSplit } from "./probe-eval.ts";
import { augrc, aurc } from "./rejection.ts";
import { type ProbeName, SCORE_NAMES, type ScoreName } from "./score-names.ts";

/** What is measured in each repetition. */
type SeedMeasure = "auc" | "aurc" | "augrc";

/** The scores of one repetition on one split. */
export interface SeedRows {
  /** [n] what counts as one question. */
  readonly questionGroups: readonly string[];
  /** [n] 1 = the answer is wrong. */
  readonly incorrect: Uint8Array;
  /** [n] each, higher = more uncertain, NaN where there is none. */
  readonly byName: Readonly<Record<ScoreName, Float64Array>>;
}

/** One repetition: content of `seeds/SEED/artifacts/scores.json`, but for the rows. */
export interface SeedScores {
  readonly seed: number;
  /** Questions of the first set that are not test questions. */
  readonly other_questions: number;
  readonly splits: Readonly<Partial<Record<HeldOutSplit, SeedSplitScores>>>;
}

interface SeedSplitScores {
  readonly questions: number;
  /** null where no row has the score, or its rows have one label only. */
  readonly scores: Readonly<Record<ScoreName, Readonly<Record<SeedMeasure, number>> | null>>;
}

/** A number over the repetitions. */
interface SeedSpread {
  /** [J] null where a repetition lacks it. */
  readonly values: readonly (number | null)[];
  readonly mean: number;
  /** With J - 1 in the denominator. */
  readonly sd: number;
  /** null where there is no honest one; see `SeedSplitSummary.interval`. */
  readonly interval: ConfidenceInterval | null;
}

/** One score over the repetitions. */
export interface SeedScoreSummary extends Readonly<Record<SeedMeasure, SeedSpread>> {
  /** AUROC of the audited probe minus this score's; null for the probe itself. */
  readonly difference: (SeedSpread & { readonly p_value: number | null }) | null;
}

export interface SeedSplitSummary {
  /** Over the repetitions. */
  readonly mean_questions: number;
  /**
   * corrected-resampled-t: of the expected value for a new split. bootstrap: of the AUROC averaged over the repetitions, for
   * new questions of this kind, which are the same in each. none: the test questions are the same in each, so that their spread
   * says nothing about other questions.
   */
  readonly interval: "corrected-resampled-t" | "bootstrap" | "none";
  readonly scores: Readonly<Partial<Record<ScoreName, SeedScoreSummary>>>;
}

/** Content of `artifacts/seeds.json`. */
export interface SeedsSummary {
  readonly seeds: readonly number[];
  /** The probe that the study's verdict, which is about one split only, is about. */
  readonly probe: ProbeName;
  /** Whether the questions say which part they belong to, so that only the fits are repeated. */
  readonly is_split_given: boolean;
  readonly splits: Readonly<Partial<Record<HeldOutSplit, SeedSplitSummary>>>;
}

/** Measures one repetition on one split. */
export function scoreRepetition({ questionGroups, incorrect, byName }: SeedRows): SeedSplitScores {
  const measure = (name: ScoreName): Readonly<Record<SeedMeasure, number>> | null => {
    const rows = [...incorrect.keys()].filter((row) => !Number.isNaN(byName[name][row]));
    const labels = rows.map((row) => incorrect[row]!);
    if (!hasBothClasses(labels)) return null;
    const scores = rows.map((row) => byName[name][row]!);
    return {
      auc: rankedAuroc(rankScores(scores), labels),
      aurc: aurc(scores, labels),
      augrc: augrc(scores, labels),
    };
  };
  return {
    questions: new Set(questionGroups).size,
    scores: Object.fromEntries(SCORE_NAMES.map((name) => [name, measure(name)])) as SeedSplitScores["scores"],
  };
}

/** What repetitions are summarised with. */
interface SummariseSeedsOptions extends InferenceOptions {
  readonly probe: ProbeName;
  readonly isSplitGiven: boolean;
  /** Rows of the second set in each repetition, for its intervals; none without one. */
  readonly ood: readonly SeedRows[];
}

/** Means, standard deviations and intervals over repetitions of splits and fits with several seeds. */
export function summariseSeeds(
  repetitions: readonly SeedScores[],
  { probe, isSplitGiven, ood, ...inference }: SummariseSeedsOptions,
): SeedsSummary {
  const splits = Object.fromEntries(
    HELD_OUT_SPLITS.flatMap((split) => {
      const own = repetitions.flatMap((each) => each.splits[split] ?? []);
      if (own.length < repetitions.length) return [];
      const interval = split === "ood_test" ? "bootstrap" : isSplitGiven ? "none" : "corrected-resampled-t";
      const meanQuestions = mean(own.map(({ questions }) => questions));
      const ratio = meanQuestions / mean(repetitions.map(({ other_questions }) => other_questions));
      const spread = (values: readonly (number | null)[], lowest = 0): SeedSpread =>
        spreadOf(values, interval === "corrected-resampled-t" ? ratio : null, lowest);
      const scores = SCORE_NAMES.flatMap((name) => {
        const valuesOf = (of: ScoreName, measure: SeedMeasure): (number | null)[] =>
          own.map(({ scores: found }) => found[of]?.[measure] ?? null);
        const auc = valuesOf(name, "auc");
        if (auc.every((value) => value === null)) return [];
        const differences = valuesOf(probe, "auc").map((value, i) =>
          value === null || auc[i] == null ? null : value - auc[i],
        );
        const area = spread(auc);
        const summary: SeedScoreSummary = {
          auc: interval === "bootstrap" ? { ...area, interval: bootstrapMean(ood, name, inference) } : area,
          aurc: spread(valuesOf(name, "aurc")),
          augrc: spread(valuesOf(name, "augrc")),
          difference:
            name === probe || differences.every((value) => value === null)
              ? null
              : testDifference(spread(differences, -1), interval === "corrected-resampled-t" ? ratio : null),
        };
        return [[name, summary] as const];
      });
      return [[split, { mean_questions: meanQuestions, interval, scores: Object.fromEntries(scores) }]];
    }),
  );
  return { seeds: repetitions.map(({ seed }) => seed), probe, is_split_given: isSplitGiven, splits };
}

const LEVEL = 0.95;

/**
 * @param ratio  test questions per other question; null for no interval
 * @param lowest that a value can be; the highest is 1. An interval of few values would reach beyond them.
 */
function spreadOf(values: readonly (number | null)[], ratio: number | null, lowest: number): SeedSpread {
  const known = values.filter((value) => value !== null);
  const centre = mean(known);
  const sd = Math.sqrt(known.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (known.length - 1));
  return {
    values,
    mean: centre,
    sd: known.length < 2 ? 0 : sd,
    interval: ratio === null || known.length < 2 ? null : clip(correctedInterval(known, ratio), lowest),
  };
}

const clip = ({ level, low, high }: ConfidenceInterval, lowest: number): ConfidenceInterval => ({
  level,
  low: Math.max(low, lowest),
  high: Math.min(high, 1),
});

/**
 * The corrected resampled t interval: repetitions share questions, in training and in test, so their mean varies more than
 * independent ones would. Its variance is taken to be (1/J + n2/n1) s², with n2 test questions and n1 others.
 * @param values [J >= 2] one of each repetition
 * @param ratio  n2/n1
 * @see Nadeau and Bengio 2003, "Inference for the generalization error", section 4
 */
export function correctedInterval(
  values: readonly number[],
  ratio: number,
  level: number = LEVEL,
): ConfidenceInterval {
  const { centre, error } = correctedError(values, ratio);
  const reach = studentQuantile((1 + level) / 2, values.length - 1) * error;
  return { level, low: centre - reach, high: centre + reach };
}

function correctedError(
  values: readonly number[],
  ratio: number,
): { readonly centre: number; readonly error: number } {
  const centre = mean(values);
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
  return { centre, error: Math.sqrt((1 / values.length + ratio) * variance) };
}

function testDifference(
  spread: SeedSpread,
  ratio: number | null,
): SeedSpread & { readonly p_value: number | null } {
  const known = spread.values.filter((value) => value !== null);
  if (ratio === null || known.length < 2) return { ...spread, p_value: null };
  const { centre, error } = correctedError(known, ratio);
  if (error === 0) return { ...spread, p_value: centre === 0 ? 1 : null };
  return { ...spread, p_value: 2 * studentCdf(-Math.abs(centre / error), known.length - 1) };
}

/** Resamples the questions that all repetitions share, of the mean of their AUROCs; null where a repetition lacks it. */
function bootstrapMean(
  repetitions: readonly SeedRows[],
  name: ScoreName,
  { resamples, seed }: InferenceOptions,
): ConfidenceInterval | null {
  const sides = repetitions.map(({ questionGroups, incorrect, byName }) => {
    const rows = [...incorrect.keys()].filter((row) => !Number.isNaN(byName[name][row]));
    const labels = rows.map((row) => incorrect[row]!);
    const questions = rows.map((row) => questionGroups[row]!);
    return { labels, questions, ranked: rankScores(rows.map((row) => byName[name][row]!)) };
  });
  if (sides.length === 0 || sides.some(({ labels }) => !hasBothClasses(labels))) return null;
  const starts = sides.map((_, i) => sides.slice(0, i).reduce((sum, { labels }) => sum + labels.length, 0));
  const { intervals } = bootstrapInterval(
    sides.flatMap(({ questions }) => questions),
    (weights) =>
      mean(
        sides.map(({ ranked, labels }, i) =>
          rankedAuroc(ranked, labels, weights.subarray(starts[i]!, starts[i]! + labels.length)),
        ),
      ),
    {
      method: "percentile",
      levels: [LEVEL],
      ...(resamples === undefined ? {} : { resamples }),
      ...(seed === undefined ? {} : { seed }),
    },
  );
  return intervals[0] ?? null;
}
