import { HELD_OUT_SPLITS, type HeldOutSplit } from "../evaluation/probe-eval.ts";
import { SCORE_INFO, SCORE_NAMES, type ScoreName } from "../evaluation/score-names.ts";
import type { SeedScoreSummary, SeedSplitSummary, SeedsSummary } from "../evaluation/summarise-seeds.ts";
import { formatInterval } from "../text/format-numbers.ts";
import { SPLIT_FILES, SPLIT_QUESTIONS, titleOf } from "./figure.ts";
import { markBest, numberCell, pValueCell, signedCell, type Table, textCell } from "./table.ts";

/** Names of the tables of a study with repetitions. */
export const listSeedTableNames = (withOod: boolean): string[] =>
  HELD_OUT_SPLITS.filter((split) => withOod || split !== "ood_test").map(
    (split) => `seeds-${SPLIT_FILES[split]}`,
  );

/** Repetitions as tables, one for each kind of questions. */
export const makeSeedTables = (summary: SeedsSummary): Table[] =>
  HELD_OUT_SPLITS.flatMap((split) => {
    const own = summary.splits[split];
    return own === undefined ? [] : [makeSeedTable(split, own, summary)];
  });

/** What the intervals of a split are, in a sentence. */
export const describeSeedInterval = (interval: SeedSplitSummary["interval"]): string => INTERVALS[interval];

const INTERVALS: Readonly<Record<SeedSplitSummary["interval"], string>> = {
  "corrected-resampled-t":
    "95% intervals are for the expected value of another split; they allow for the questions that splits share (Nadeau and Bengio 2003).",
  bootstrap:
    "The test questions are the same with every seed: 95% intervals resample them, for the AUROC averaged over the fits.",
  none: "The questions say which part they belong to, so only the fits differ, and their spread says nothing about other questions: there is no interval.",
};

function makeSeedTable(
  split: HeldOutSplit,
  { scores, interval }: SeedSplitSummary,
  summary: SeedsSummary,
): Table {
  const known = SCORE_NAMES.flatMap((name): [ScoreName, SeedScoreSummary][] => {
    const own = scores[name];
    return own === undefined ? [] : [[name, own]];
  });
  const auc = markBest(known.map(([, own]) => numberCell(own.auc.mean)));
  const hasDifferences = interval === "corrected-resampled-t";
  return {
    name: `seeds-${SPLIT_FILES[split]}`,
    title: `Over ${summary.seeds.length} ${summary.is_split_given ? "fits" : "splits and fits"}, ${SPLIT_QUESTIONS[split]}`,
    columns: [
      { title: "Score", key: "score", align: "left" },
      { title: "Mean AUROC", key: "auroc_mean" },
      { title: "SD", key: "auroc_sd" },
      { title: "95% interval", key: "auroc_interval" },
      { title: "AURC", key: "aurc_mean" },
      { title: "AUGRC", key: "augrc_mean" },
      { title: "Probe minus it", key: "difference" },
      { title: "SD", key: "difference_sd" },
      ...(hasDifferences ? [{ title: "p", key: "difference_p_value" }] : []),
    ],
    rows: known.map(([name, own], i) => {
      const { difference } = own;
      return {
        cells: [
          { text: titleOf(name), value: name },
          auc[i]!,
          numberCell(own.auc.sd),
          textCell(formatInterval(own.auc.interval === null ? [] : [own.auc.interval])),
          numberCell(own.aurc.mean),
          numberCell(own.augrc.mean),
          signedCell(difference?.mean),
          numberCell(difference?.sd ?? null),
          ...(hasDifferences ? [pValueCell(difference?.p_value)] : []),
        ],
      };
    }),
    note: `Means over seeds ${summary.seeds.join(", ")}; SD: standard deviation over them. ${INTERVALS[interval]} "Probe minus it": AUROC of ${SCORE_INFO[summary.probe].phrase} minus that of the score.${hasDifferences ? " p-values are not corrected for the number of scores." : ""}`,
  };
}

/** Whether a score belongs into a short list: the probes, and the strongest of each kind of rival. */
export function pickSeedScores({ scores }: SeedSplitSummary): ScoreName[] {
  const known = SCORE_NAMES.filter((name) => scores[name] !== undefined);
  const strongest = (kind: string): ScoreName[] =>
    known
      .filter((name) => SCORE_INFO[name].kind === kind)
      .sort((a, b) => scores[b]!.auc.mean - scores[a]!.auc.mean)
      .slice(0, 1);
  return [
    ...known.filter((name) => SCORE_INFO[name].kind === "probe"),
    ...["confidence", "combined", "sampling"].flatMap(strongest),
  ];
}
