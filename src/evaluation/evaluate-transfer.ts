import { type RankedScores, rankedAuroc, rankScores } from "../math/auroc.ts";
import { mean } from "../math/vector.ts";
import { hasBothClasses } from "../probes/split-questions.ts";
import { type BootstrapResult, bootstrapInterval } from "./bootstrap-interval.ts";
import { holmCorrect, pairedTest } from "./compare-scores.ts";
import type { InferenceOptions } from "./evaluate-score.ts";
import {
  type OverallMean,
  TRANSFER_PROBES,
  TRANSFER_SETTINGS,
  type TransferArea,
  type TransferCell,
  type TransferEval,
  type TransferMean,
  type TransferProbe,
  type TransferSetting,
  UNTRAINED_SCORES,
  type UntrainedScore,
} from "./transfer-eval.ts";

/** A probe's scores of a target's rows [n], higher = more uncertain; null for a probe that could not be trained. */
type Scores = Float64Array | null;

/** The test rows of one data set, with the scores of every probe. */
export interface TransferTarget {
  readonly name: string;
  /** [n] what counts as one question: duplicates share a group, those in other targets as well. */
  readonly questionGroups: readonly string[];
  /** [n] 1 = wrong */
  readonly incorrect: Uint8Array;
  /** NaN where there is none. */
  readonly untrained: Readonly<Record<UntrainedScore, Float64Array>>;
  /** [source] in the order of the data sets. */
  readonly bySource: readonly Readonly<Record<TransferProbe, Scores>>[];
  /** Trained on all other data sets; null with fewer than three. */
  readonly leaveOneOut: Readonly<Record<TransferProbe, Scores>> | null;
}

type TransferScores = Pick<TransferEval, "matrix" | "leave_one_out" | "untrained" | "by_target" | "overall">;

/**
 * Compares probes across data sets. Rows that lack any probe's score are left out of the target entirely, so that all
 * numbers of a target are about the same rows.
 * @param targets as many as sources, in the same order
 */
export function evaluateTransfer(
  targets: readonly TransferTarget[],
  options: InferenceOptions = {},
): TransferScores {
  const complete = targets.map(keepCompleteRows);
  const names = targets.map(({ name }) => name);
  const matrix = complete.flatMap((_, source) =>
    complete.map((target) => describeCell(names[source]!, target, target.bySource[source]!, options)),
  );
  const pooled = complete.flatMap((target) =>
    target.leaveOneOut === null ? [] : [describeCell(null, target, target.leaveOneOut, options)],
  );
  const corrected = holmCorrect([...matrix, ...pooled].map(({ difference }) => difference?.p_value ?? null));
  const correct = (cells: readonly TransferCell[], start: number): TransferCell[] =>
    cells.map((cell, i) =>
      cell.difference === null
        ? cell
        : { ...cell, difference: { ...cell.difference, p_value_holm: corrected[start + i]! } },
    );
  const parts = complete.map(
    (target, place) =>
      Object.fromEntries(
        TRANSFER_SETTINGS.map((setting) => [setting, gatherPart(target, place, setting)]),
      ) as Record<TransferSetting, MeanPart | null>,
  );
  const bySetting = <Result>(
    measure: (setting: TransferSetting) => Result,
  ): Record<TransferSetting, Result> =>
    Object.fromEntries(TRANSFER_SETTINGS.map((setting) => [setting, measure(setting)])) as Record<
      TransferSetting,
      Result
    >;
  return {
    matrix: correct(matrix, 0),
    leave_one_out: correct(pooled, matrix.length),
    untrained: targets.map((target) => ({
      target: target.name,
      ...(Object.fromEntries(
        UNTRAINED_SCORES.map((name) => [name, measureArea(target, target.untrained[name], options)]),
      ) as Record<UntrainedScore, TransferArea>),
    })),
    by_target: parts.map((own, place) => ({
      target: names[place]!,
      ...bySetting((setting) => {
        const part = own[setting];
        return part === null ? null : averageParts([part], options);
      }),
    })),
    overall: bySetting((setting) => {
      const own = parts.flatMap((part) => (part[setting] === null ? [] : [part[setting]]));
      return own.length === parts.length ? averageOverall(own, options) : null;
    }),
  };
}

function keepCompleteRows(target: TransferTarget): TransferTarget {
  const all = [...target.bySource, ...(target.leaveOneOut === null ? [] : [target.leaveOneOut])].flatMap(
    (scores) => TRANSFER_PROBES.flatMap((probe) => scores[probe] ?? []),
  );
  const rows = target.questionGroups.flatMap((_, row) =>
    all.some((scores) => Number.isNaN(scores[row])) ? [] : [row],
  );
  if (rows.length === target.questionGroups.length) return target;
  const pick = (scores: Scores): Scores => scores && Float64Array.from(rows, (row) => scores[row]!);
  const pickBoth = (scores: Readonly<Record<TransferProbe, Scores>>): Record<TransferProbe, Scores> => ({
    se_probe: pick(scores.se_probe),
    accuracy_probe: pick(scores.accuracy_probe),
  });
  return {
    ...target,
    questionGroups: rows.map((row) => target.questionGroups[row]!),
    incorrect: Uint8Array.from(rows, (row) => target.incorrect[row]!),
    bySource: target.bySource.map(pickBoth),
    leaveOneOut: target.leaveOneOut && pickBoth(target.leaveOneOut),
  };
}

function describeCell(
  source: string | null,
  target: TransferTarget,
  { se_probe: se, accuracy_probe: accuracy }: Readonly<Record<TransferProbe, Scores>>,
  options: InferenceOptions,
): TransferCell {
  const { name, incorrect, questionGroups } = target;
  const isComparable = se !== null && accuracy !== null && hasBothClasses(incorrect);
  const test = isComparable ? pairedTest(se, accuracy, incorrect, questionGroups, options) : null;
  return {
    source,
    target: name,
    se_probe: measureArea(target, se, options),
    accuracy_probe: measureArea(target, accuracy, options),
    difference: test && {
      auc_difference: test.auc_difference,
      p_value: test.p_value,
      p_value_holm: null,
    },
  };
}

function measureArea(
  { incorrect, questionGroups }: Pick<TransferTarget, "incorrect" | "questionGroups">,
  scores: Scores,
  options: InferenceOptions,
): TransferArea {
  const rows =
    scores === null ? [] : questionGroups.flatMap((_, row) => (Number.isNaN(scores[row]) ? [] : [row]));
  const labels = rows.map((row) => incorrect[row]!);
  if (scores === null || !hasBothClasses(labels)) return { auc: null, auc_intervals: [] };
  const ranked = rankScores(rows.map((row) => scores[row]!));
  const { estimate, intervals } = bootstrapInterval(
    rows.map((row) => questionGroups[row]!),
    (weights) => rankedAuroc(ranked, labels, weights),
    drawing(options),
  );
  return { auc: estimate, auc_intervals: intervals };
}

/** One target's part of a mean: the ranked scores of each probe of a setting. */
interface MeanPart {
  readonly questionGroups: readonly string[];
  readonly incorrect: Uint8Array;
  /** [source] */
  readonly ranked: readonly Readonly<Record<TransferProbe, RankedScores>>[];
}

/** @returns null where the target has one class, or no probe pair of the setting */
function gatherPart(target: TransferTarget, place: number, setting: TransferSetting): MeanPart | null {
  const { bySource, leaveOneOut, questionGroups, incorrect } = target;
  const pairs =
    setting === "in_distribution"
      ? [bySource[place]!]
      : setting === "single_source"
        ? bySource.filter((_, source) => source !== place)
        : leaveOneOut === null
          ? []
          : [leaveOneOut];
  const ranked = pairs.flatMap(({ se_probe, accuracy_probe }) =>
    se_probe === null || accuracy_probe === null || !hasBothClasses(incorrect)
      ? []
      : [{ se_probe: rankScores(se_probe), accuracy_probe: rankScores(accuracy_probe) }],
  );
  return ranked.length === 0 ? null : { questionGroups, incorrect, ranked };
}

/**
 * Means over parts and, within each, over its probes. Questions are resampled over all parts together, so the number drawn
 * from each part varies; the means by part do not depend on it.
 */
function averageParts(parts: readonly MeanPart[], options: InferenceOptions): TransferMean {
  const questionGroups = parts.flatMap((part) => part.questionGroups);
  const starts = parts.map((_, i) =>
    parts.slice(0, i).reduce((sum, own) => sum + own.questionGroups.length, 0),
  );
  const meanOf = (probe: TransferProbe, weights: Float64Array): number =>
    mean(parts.map((part, i) => partMean(part, probe, weights.subarray(starts[i]))));
  const measure = (
    statistic: (weights: Float64Array) => number,
    method: "bca" | "percentile" = "bca",
  ): BootstrapResult => bootstrapInterval(questionGroups, statistic, { method, ...drawing(options) });
  return {
    count: parts.reduce((sum, { ranked }) => sum + ranked.length, 0),
    se_probe: measure((weights) => meanOf("se_probe", weights)),
    accuracy_probe: measure((weights) => meanOf("accuracy_probe", weights)),
    difference: measure(
      (weights) => meanOf("se_probe", weights) - meanOf("accuracy_probe", weights),
      "percentile",
    ),
  };
}

const partMean = ({ ranked, incorrect }: MeanPart, probe: TransferProbe, weights?: Float64Array): number =>
  mean(ranked.map((own) => rankedAuroc(own[probe], incorrect, weights)));

function averageOverall(parts: readonly MeanPart[], options: InferenceOptions): OverallMean {
  const differences = parts.map((part) => partMean(part, "se_probe") - partMean(part, "accuracy_probe"));
  const centre = mean(differences);
  const squares = differences.reduce((sum, difference) => sum + (difference - centre) ** 2, 0);
  const count = differences.length;
  return {
    ...averageParts(parts, options),
    standard_error_over_datasets: count < 2 ? null : Math.sqrt(squares / (count - 1) / count),
  };
}

const drawing = ({ resamples, seed }: InferenceOptions): { resamples?: number; seed?: number } => ({
  ...(resamples === undefined ? {} : { resamples }),
  ...(seed === undefined ? {} : { seed }),
});
