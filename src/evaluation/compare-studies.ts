import { hasBothClasses } from "../probes/split-questions.ts";
import type { ConfidenceInterval } from "./bootstrap-interval.ts";
import { judgePromise } from "./checks.ts";
import {
  holmCorrect,
  type LabelledScores,
  type PairedTestResult,
  pairedTestAcross,
} from "./compare-scores.ts";
import type { InferenceOptions } from "./evaluate-score.ts";
import { HELD_OUT_SPLITS, type HeldOutSplit, type ProbeEval } from "./probe-eval.ts";
import { augrc, aurc, bootstrapAugrc } from "./rejection.ts";
import { wordsOfRows } from "./row-words.ts";
import type { ScoreName } from "./score-names.ts";

/** One finished study, as far as a comparison looks at it. */
export interface StudyToCompare {
  readonly name: string;
  /** By option name, as text. */
  readonly settings: Readonly<Record<string, string>>;
  readonly evaluation: ProbeEval;
  readonly splits: Readonly<Partial<Record<HeldOutSplit, StudyRows>>>;
}

/** The held-out answers of a split. */
export interface StudyRows {
  /** [n] a name of each question that is the same in every study which asks it; duplicates share one. */
  readonly questions: readonly string[];
  /** [n] 1 = the answer is wrong. */
  readonly incorrect: Uint8Array;
  /** [n] each, NaN where there is none. */
  readonly byName: Readonly<Record<ScoreName, Float64Array>>;
}

/** One score of one study. */
export interface ComparedScore {
  /** Place of the study. */
  readonly study: number;
  readonly score: ScoreName;
  readonly splits: Readonly<Partial<Record<HeldOutSplit, ComparedQuality>>>;
}

export interface ComparedQuality {
  readonly question_count: number;
  readonly row_count: number;
  readonly incorrect_count: number;
  /** null where one label is missing. */
  readonly auc: number | null;
  readonly auc_intervals: readonly ConfidenceInterval[];
  /** Areas under the risk-coverage curve and its generalisation; lower is better. */
  readonly aurc: number;
  readonly augrc: number;
  readonly augrc_intervals: readonly ConfidenceInterval[];
  /** Of the probability after Platt's map; null for a score that is none. */
  readonly ece: number | null;
  /** Thresholds that were chosen for the score, and those that are not shown to have missed their target here. */
  readonly promises: { readonly made: number; readonly kept: number };
}

/** AUROC of one study's score minus that of another's, on the test questions that both have. */
export interface StudyDifference {
  /** Places within `rows`. */
  readonly first: number;
  readonly second: number;
  readonly split: HeldOutSplit;
  /** 0 where the studies have no test question in common. */
  readonly shared_questions: number;
  /** null without shared questions, or where these have one label only. */
  readonly result: PairedTestResult | null;
  /** After Holm's correction for all pairs of the split. */
  readonly p_value_holm: number | null;
}

/** Several studies beside one another. */
export interface StudiesComparison {
  readonly studies: readonly {
    readonly name: string;
    /** Those that are not the same everywhere. */
    readonly settings: Readonly<Record<string, string>>;
  }[];
  /** Names of the settings that differ. */
  readonly differing: readonly string[];
  /** What the AUROCs are about, such as "wrong answers". */
  readonly finds: string;
  readonly rows: readonly ComparedScore[];
  readonly differences: readonly StudyDifference[];
  /** What to know before the numbers. */
  readonly notes: readonly string[];
}

/** What stands for a setting that a study does not record. */
const NOT_RECORDED = "not recorded";

/**
 * Compares finished studies: every score by itself, and every two studies by the same score on the questions that both have.
 * @param scores `probe` for the probe that each study's verdict is about; or names
 */
export function compareStudies(
  studies: readonly StudyToCompare[],
  {
    scores = "probe",
    ...inference
  }: InferenceOptions & { readonly scores?: "probe" | readonly ScoreName[] } = {},
): StudiesComparison {
  const differing = findDiffering(studies.map(({ settings }) => settings));
  const wanted = studies.map(({ evaluation }) => (scores === "probe" ? [evaluation.audit.probe] : scores));
  const rows = studies.flatMap((study, place) =>
    wanted[place]!.flatMap((score) => {
      const splits = Object.fromEntries(
        HELD_OUT_SPLITS.flatMap((split) => {
          const quality = describeScore(study, score, split, inference);
          return quality === null ? [] : [[split, quality] as const];
        }),
      );
      return Object.keys(splits).length === 0 ? [] : [{ study: place, score, splits }];
    }),
  );
  const isPair = (one: ComparedScore, other: ComparedScore): boolean =>
    one.study < other.study && (scores === "probe" || one.score === other.score);
  const pairs = rows.flatMap((one, first) =>
    rows.flatMap((other, second) => (isPair(one, other) ? [{ first, second }] : [])),
  );
  return {
    studies: studies.map(({ name, settings }) => ({
      name,
      settings: Object.fromEntries(differing.map((key) => [key, settings[key] ?? NOT_RECORDED])),
    })),
    differing,
    finds: nameFound(studies),
    rows,
    differences: HELD_OUT_SPLITS.flatMap((split) => differencesOf(split, pairs, rows, studies, inference)),
    notes: listNotes(differing),
  };
}

/** All studies have the same kind of label, but parts may be steps here and sentences there. */
function nameFound(studies: readonly StudyToCompare[]): string {
  const units = studies.map(({ evaluation }) => evaluation.units);
  const isSame = new Set(units.map((each) => each?.position)).size === 1;
  const [first] = units;
  return wordsOfRows(first === undefined || isSame ? first : { ...first, position: "" }).wrong;
}

/** Settings that some study has and another has not, or has with another value; in the order of the first study. */
function findDiffering(all: readonly Readonly<Record<string, string>>[]): string[] {
  const names = [...new Set(all.flatMap((settings) => Object.keys(settings)))];
  const differing = names.filter((name) => new Set(all.map((settings) => settings[name])).size > 1);
  // other weights are news only under the same name
  return differing.filter((name) => name !== "weights" || !differing.includes("model"));
}

function describeScore(
  { evaluation, splits }: StudyToCompare,
  score: ScoreName,
  split: HeldOutSplit,
  { resamples, seed }: InferenceOptions,
): ComparedQuality | null {
  const rows = splits[split];
  const own = evaluation[split];
  if (rows === undefined || own === undefined) return null;
  const { scores, labels, questionIds } = rowsWith(rows, score);
  if (labels.length === 0) return null;
  const drawing = {
    ...(resamples === undefined ? {} : { resamples }),
    ...(seed === undefined ? {} : { seed }),
  };
  const { auc, auc_intervals } = own.scores[score];
  const tried = (evaluation.decisions ?? []).filter(
    (decision) => decision.score === score && decision.threshold !== null,
  );
  return {
    question_count: new Set(questionIds).size,
    row_count: labels.length,
    incorrect_count: labels.reduce((sum, label) => sum + label, 0),
    auc,
    auc_intervals,
    aurc: aurc(scores, labels),
    augrc: augrc(scores, labels),
    augrc_intervals: hasBothClasses(labels)
      ? bootstrapAugrc(scores, labels, questionIds, drawing).intervals
      : [],
    ece: eceOf(own, score),
    promises: {
      made: tried.length,
      kept: tried.filter((decision) => judgePromise(decision, split) !== "missed").length,
    },
  };
}

const CALIBRATED: Readonly<
  Partial<Record<ScoreName, "accuracy_probe" | "entropy_baseline" | "se_probe_high_se">>
> = {
  accuracy_probe: "accuracy_probe",
  entropy_baseline: "entropy_baseline",
  se_probe: "se_probe_high_se",
};

function eceOf({ calibration }: ProbeEval["math_test"], score: ScoreName): number | null {
  const key = CALIBRATED[score];
  return key === undefined ? null : (calibration[key]?.platt?.ece ?? null);
}

function rowsWith(
  { questions, incorrect, byName }: StudyRows,
  score: ScoreName,
): LabelledScores & { readonly scores: readonly number[]; readonly labels: readonly number[] } {
  const own = byName[score];
  const kept = [...own.keys()].filter((row) => !Number.isNaN(own[row]));
  return {
    scores: kept.map((row) => own[row]!),
    labels: kept.map((row) => incorrect[row]!),
    questionIds: kept.map((row) => questions[row]!),
  };
}

function differencesOf(
  split: HeldOutSplit,
  pairs: readonly { readonly first: number; readonly second: number }[],
  rows: readonly ComparedScore[],
  studies: readonly StudyToCompare[],
  inference: InferenceOptions,
): StudyDifference[] {
  const sideOf = (place: number): LabelledScores | null => {
    const { study, score } = rows[place]!;
    const own = studies[study]!.splits[split];
    return own === undefined ? null : rowsWith(own, score);
  };
  const found = pairs.flatMap(({ first, second }) => {
    const [one, other] = [sideOf(first), sideOf(second)];
    if (one === null || other === null || one.labels.length === 0 || other.labels.length === 0) return [];
    const others = new Set(other.questionIds);
    const shared = new Set(one.questionIds.filter((question) => others.has(question))).size;
    const result = shared === 0 ? null : pairedTestAcross(one, other, inference);
    return [{ first, second, split, shared_questions: shared, result }];
  });
  const corrected = holmCorrect(found.map(({ result }) => result?.p_value ?? null));
  return found.map((difference, i) => ({ ...difference, p_value_holm: corrected[i]! }));
}

/** Differences of settings that change what is compared, not how well it is found. */
function listNotes(differing: readonly string[]): string[] {
  const notes: string[] = [];
  if (differing.includes("correctness"))
    notes.push(
      "Answers were graded by different rules, so the studies look for different mistakes: their AUROCs cannot be compared.",
    );
  if (differing.includes("model") || differing.includes("temperature") || differing.includes("seed"))
    notes.push(
      "The studies have answers of their own, so a difference may come from the mistakes that there were to find, not from the probes alone.",
    );
  return notes;
}
