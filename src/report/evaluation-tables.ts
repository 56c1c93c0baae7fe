import { capitalise, judgePromise } from "../evaluation/checks.ts";
import type { DecisionEvaluation } from "../evaluation/evaluate-decision.ts";
import type { SplitEvaluation } from "../evaluation/evaluate-split.ts";
import {
  EVALUATED_SPLITS,
  type EvaluatedSplit,
  HELD_OUT_SPLITS,
  type HeldOutSplit,
  type ProbeEval,
} from "../evaluation/probe-eval.ts";
import { type RowWords, wordsOfRows } from "../evaluation/row-words.ts";
import { PROBE_NAMES, SCORE_INFO, SCORE_NAMES, type ScoreName } from "../evaluation/score-names.ts";
import type { SeedsSummary } from "../evaluation/summarise-seeds.ts";
import { formatInterval, formatPercent, formatSignificant } from "../text/format-numbers.ts";
import { SPLIT_FILES, SPLIT_QUESTIONS, SPLIT_TITLES, titleOf } from "./figure.ts";
import { listSeedTableNames, makeSeedTables } from "./seed-tables.ts";
import {
  type Cell,
  groupRows,
  markBest,
  numberCell,
  pValueCell,
  signedCell,
  type Table,
  textCell,
} from "./table.ts";

/** Every table of a report, by what it is about. */
export interface ReportTables {
  readonly scores: readonly Table[];
  readonly added: Table;
  readonly comparisons: readonly Table[];
  readonly decisions: readonly Table[];
  readonly calibration: Table;
  /** None without repetitions. */
  readonly seeds: readonly Table[];
}

/** The evaluation as tables. */
export function makeTables(evaluation: ProbeEval, seeds: SeedsSummary | null = null): ReportTables {
  const words = wordsOfRows(evaluation.units);
  return {
    scores: (["math_test", "ood_test", "math_val"] as const).flatMap((split) => {
      const own = evaluation[split];
      return own === undefined ? [] : [makeScoreTable(split, own, words)];
    }),
    added: makeAddedTable(evaluation),
    comparisons: HELD_OUT_SPLITS.flatMap((split) => {
      const own = evaluation[split];
      return own === undefined ? [] : [makeComparisonTable(split, own, words)];
    }),
    decisions: KINDS.map((kind) =>
      makeDecisionTable(
        kind,
        (evaluation.decisions ?? []).filter((decision) => decision.kind === kind),
      ),
    ),
    calibration: makeCalibrationTable(evaluation, words),
    seeds: seeds === null ? [] : makeSeedTables(seeds),
  };
}

/** All of them, in the order of the page. */
export const listTables = ({
  scores,
  added,
  comparisons,
  decisions,
  calibration,
  seeds,
}: ReportTables): Table[] => [...scores, added, ...comparisons, ...decisions, calibration, ...seeds];

const KINDS = ["risk", "coverage"] as const;

/**
 * Names of all tables of a study's report, whether they have rows or not.
 * @param withSeeds whether it has repetitions with other seeds
 */
export const listTableNames = (withOod: boolean, withSeeds = false): string[] => {
  const splits = withOod ? ["test", "ood"] : ["test"];
  return [
    ...splits.map((split) => `scores-${split}`),
    "scores-val",
    "added-value",
    ...splits.map((split) => `comparisons-${split}`),
    ...KINDS.map((kind) => `decisions-${kind}`),
    "calibration",
    ...(withSeeds ? listSeedTableNames(withOod) : []),
  ];
};

const percent = (value: number | null, decimals = 0): Cell => ({
  text: formatPercent(value, decimals),
  value,
});

/** When a score is known, of groups of rows. */
const GROUPS = {
  before: "Before generation",
  during: "Once the reasoning is closed",
  after: "Once the answer is written",
} as const;

const groupOf = (name: ScoreName): string => {
  const { kind, moment } = SCORE_INFO[name];
  if (kind === "probe") return "From hidden states";
  return kind === "sampling" ? "With further samples" : GROUPS[moment ?? "after"];
};

function makeScoreTable(split: EvaluatedSplit, own: SplitEvaluation, words: RowWords): Table {
  const names = SCORE_NAMES.filter((name) => own.scores[name].row_count > 0);
  const column = (of: (name: ScoreName) => Cell, isLowerBetter = false): Cell[] =>
    markBest(names.map(of), isLowerBetter);
  const auc = column((name) => numberCell(own.scores[name].auc));
  const prr = column((name) => numberCell(own.rejection[name]?.prr ?? null));
  const augrc = column((name) => numberCell(own.rejection[name]?.augrc ?? null), true);
  const accuracy = column((name) => percent(own.rejection[name]?.accuracy_at_80 ?? null));
  const { questions, rows, incorrect } = own.counts;
  return {
    name: `scores-${SPLIT_FILES[split]}`,
    title: `Finding ${words.wrong}, ${SPLIT_QUESTIONS[split]}`,
    columns: [
      { title: "Score", key: "score", align: "left" },
      { title: "AUROC", key: "auroc" },
      { title: "95% interval", key: "auroc_interval" },
      { title: "p", key: "p_value" },
      { title: "AUPRC", key: "auprc" },
      { title: "PRR", key: "prr" },
      { title: "AUGRC", key: "augrc" },
      { title: "Accuracy at 80%", key: "accuracy_at_80" },
      { title: capitalise(words.rows), key: words.rows },
    ],
    rows: groupRows(names, groupOf, (name, i) => {
      const score = own.scores[name];
      return [
        { text: titleOf(name), value: name },
        auc[i]!,
        textCell(formatInterval(score.auc_intervals)),
        pValueCell(score.permutation?.p_value, score.permutation?.permutations),
        numberCell(score.auprc),
        prr[i]!,
        augrc[i]!,
        accuracy[i]!,
        { text: String(score.row_count), value: score.row_count },
      ];
    }),
    note: `${questions} questions, ${rows} ${words.rows}, ${incorrect} of them ${words.wrongly}. The best value of a column is bold.`,
  };
}

function makeAddedTable(evaluation: ProbeEval): Table {
  const rows = HELD_OUT_SPLITS.flatMap((split) =>
    PROBE_NAMES.flatMap((probe) => {
      const added = evaluation[split]?.added_value[probe] ?? null;
      if (added === null) return [];
      return [
        {
          cells: [
            { text: titleOf(probe), value: probe },
            textCell(SPLIT_TITLES[split]),
            numberCell(added.auc_without),
            numberCell(added.auc_with),
            numberCell(added.deviance_without),
            numberCell(added.deviance_with),
            percent(added.deviance_reduction, 1),
            pValueCell(added.p_value, added.permutations),
          ],
        },
      ];
    }),
  );
  return {
    name: "added-value",
    title: "What each probe adds to the combined baseline that is known by then",
    columns: [
      { title: "Probe", key: "probe", align: "left" },
      { title: "Questions", key: "split", align: "left" },
      { title: "AUROC without", key: "auroc_without" },
      { title: "with", key: "auroc_with" },
      { title: "Deviance without", key: "deviance_without" },
      { title: "with", key: "deviance_with" },
      { title: "Removed", key: "deviance_reduction" },
      { title: "p", key: "p_value" },
    ],
    rows,
    note: "Nested logistic regressions, out of fold by question; p-values permute what the probe has beyond the others between questions.",
  };
}

function makeComparisonTable(
  split: EvaluatedSplit,
  { paired_comparisons }: SplitEvaluation,
  words: RowWords,
): Table {
  return {
    name: `comparisons-${SPLIT_FILES[split]}`,
    title: `AUROC of each probe minus that of every other score, ${SPLIT_QUESTIONS[split]}`,
    columns: [
      { title: "Compared with", key: "second", align: "left" },
      { title: "Difference", key: "auroc_difference" },
      { title: "95% interval", key: "interval" },
      { title: "p", key: "p_value" },
      { title: "p, Holm", key: "p_value_holm" },
      { title: capitalise(words.rows), key: words.rows },
    ],
    // the probe that learned what is asked comes first
    rows: groupRows(
      PROBE_NAMES.flatMap((probe) => paired_comparisons.filter(({ first }) => first === probe)),
      ({ first }) => titleOf(first),
      ({ second, auc_difference, ...each }) => [
        { text: titleOf(second), value: second },
        signedCell(auc_difference.estimate),
        textCell(formatInterval(auc_difference.intervals, { decimals: 3, signed: true })),
        pValueCell(each.p_value, each.permutations),
        pValueCell(each.p_value_holm),
        { text: String(each.row_count), value: each.row_count },
      ],
    ),
    note: "Below 0, the other score is better. Holm's correction is for all comparisons of a probe.",
  };
}

function makeDecisionTable(
  kind: "risk" | "coverage",
  decisions: readonly DecisionEvaluation<EvaluatedSplit>[],
): Table {
  const target = decisions[0]?.target ?? null;
  const splits = HELD_OUT_SPLITS.filter((split) =>
    decisions.some(({ achieved }) => achieved[split] !== undefined),
  );
  return {
    name: `decisions-${kind}`,
    title: target === null ? `Thresholds by ${kind}` : describeTarget(kind, target),
    columns: [
      { title: "Score", key: "score", align: "left" },
      { title: "Given if at most", key: "threshold" },
      ...splits.flatMap((split) => [
        { title: `Given, ${SPLIT_FILES[split]}`, key: `coverage_${SPLIT_FILES[split]}` },
        { title: `Given and wrong, ${SPLIT_FILES[split]}`, key: `risk_${SPLIT_FILES[split]}` },
        {
          title: `Wrong among given, ${SPLIT_FILES[split]}`,
          key: `error_when_answering_${SPLIT_FILES[split]}`,
        },
      ]),
    ],
    rows: decisions.flatMap((decision) => {
      const { score, threshold } = decision;
      if (threshold === null) return [];
      return [
        {
          cells: [
            { text: titleOf(score as ScoreName), value: score },
            { text: formatSignificant(threshold.threshold), value: threshold.threshold },
            ...splits.flatMap((split) => achievedCells(decision, split)),
          ],
        },
      ];
    }),
    note: decisions.find(({ threshold }) => threshold !== null)?.threshold?.guarantee ?? null,
  };
}

/** Given, given and wrong, wrong among given; the first or second is marked where it misses the target. */
function achievedCells(decision: DecisionEvaluation<EvaluatedSplit>, split: HeldOutSplit): Cell[] {
  const own = decision.achieved[split];
  if (own === undefined) return Array(3).fill(percent(null));
  const isMissed = judgePromise(decision, split) === "missed";
  const mark = (value: number, kind: "risk" | "coverage"): Cell => ({
    ...percent(value, 1),
    ...(isMissed && decision.kind === kind ? { mark: "missed" as const } : {}),
  });
  return [
    mark(own.coverage.estimate, "coverage"),
    mark(own.risk.estimate, "risk"),
    percent(own.error_when_answering, 1),
  ];
}

const describeTarget = (kind: "risk" | "coverage", target: number): string =>
  kind === "risk"
    ? `At most ${formatPercent(target, 1)} of all answers given and wrong`
    : `At least ${formatPercent(target, 1)} of all answers given`;

const CALIBRATED = [
  ["accuracy_probe", "Accuracy probe"],
  ["entropy_baseline", "Entropy baseline"],
  ["se_probe_high_se", "SE probe"],
] as const;

function makeCalibrationTable(evaluation: ProbeEval, words: RowWords): Table {
  const rows = EVALUATED_SPLITS.flatMap((split) =>
    CALIBRATED.flatMap(([key, title]) => {
      const own = evaluation[split]?.calibration[key] ?? null;
      if (own === null) return [];
      const found = [
        ["none", own],
        ["Platt", own.platt],
        ["isotonic", own.isotonic],
      ] as const;
      return found.flatMap(([map, quality]) =>
        quality === null
          ? []
          : [
              {
                cells: [
                  {
                    text: `${title}, ${key === "se_probe_high_se" ? "high entropy" : words.wrong}`,
                    value: key,
                  },
                  textCell(SPLIT_TITLES[split]),
                  textCell(map),
                  numberCell(quality.ece),
                  numberCell(quality.brier),
                  signedCell(quality.bias.estimate),
                  textCell(formatInterval(quality.bias.intervals, { decimals: 2, signed: true })),
                ],
              },
            ],
      );
    }),
  );
  return {
    name: "calibration",
    title: "Calibration of the probabilities",
    columns: [
      { title: "Probability", key: "probability", align: "left" },
      { title: "Questions", key: "split", align: "left" },
      { title: "Map", key: "map", align: "left" },
      { title: "ECE", key: "ece" },
      { title: "Brier", key: "brier" },
      { title: "Bias", key: "bias" },
      { title: "95% interval", key: "bias_interval" },
    ],
    rows,
    note: "Bias: mean probability minus the share of cases.",
  };
}
