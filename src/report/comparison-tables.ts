import type { ComparedQuality, ComparedScore, StudiesComparison } from "../evaluation/compare-studies.ts";
import { HELD_OUT_SPLITS } from "../evaluation/probe-eval.ts";
import { formatInterval } from "../text/format-numbers.ts";
import { SPLIT_FILES, titleOf } from "./figure.ts";
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

/** A comparison of studies as two tables: each study by itself, and each pair. */
export const makeComparisonTables = (comparison: StudiesComparison): readonly [Table, Table] => [
  makeStudiesTable(comparison),
  makeDifferencesTable(comparison),
];

function makeStudiesTable({ studies, differing, finds, rows, notes }: StudiesComparison): Table {
  const splits = HELD_OUT_SPLITS.filter((split) => rows.some((row) => row.splits[split] !== undefined));
  const column = (of: (row: ComparedScore) => Cell, isLowerBetter: boolean | null): Cell[] => {
    const cells = rows.map(of);
    return isLowerBetter === null || rows.length < 2 ? cells : markBest(cells, isLowerBetter);
  };
  const measured = splits.flatMap((split) =>
    MEASURES.map(({ title, key, isLowerBetter, cell }) => ({
      title: `${title}, ${SPLIT_FILES[split]}`,
      key: `${key}_${SPLIT_FILES[split]}`,
      cells: column((row) => cell(row.splits[split]), isLowerBetter),
    })),
  );
  return {
    name: "studies",
    title: `Finding ${finds}, by study`,
    columns: [
      { title: "Study", key: "study", align: "left" },
      ...differing.map((name) => ({ title: name, key: name, align: "left" as const })),
      { title: "Score", key: "score", align: "left" },
      ...measured.map(({ title, key }) => ({ title, key })),
    ],
    rows: rows.map(({ study, score }, i) => ({
      cells: [
        textCell(studies[study]!.name),
        ...differing.map((name) => textCell(studies[study]!.settings[name]!)),
        { text: titleOf(score), value: score },
        ...measured.map(({ cells }) => cells[i]!),
      ],
    })),
    note: [
      "Test: questions like those of training; ood: the second set. AURC, AUGRC and ECE: lower is better. A promise counts as kept unless its target is shown to be missed.",
      ...notes,
    ].join(" "),
  };
}

interface Measure {
  readonly title: string;
  readonly key: string;
  /** null where no value is the best. */
  readonly isLowerBetter: boolean | null;
  readonly cell: (quality: ComparedQuality | undefined) => Cell;
}

const MEASURES: readonly Measure[] = [
  { title: "Questions", key: "questions", isLowerBetter: null, cell: (own) => count(own?.question_count) },
  { title: "AUROC", key: "auroc", isLowerBetter: false, cell: (own) => numberCell(own?.auc) },
  {
    title: "95% interval",
    key: "auroc_interval",
    isLowerBetter: null,
    cell: (own) => textCell(own === undefined ? "none" : formatInterval(own.auc_intervals)),
  },
  { title: "AURC", key: "aurc", isLowerBetter: true, cell: (own) => numberCell(own?.aurc) },
  { title: "AUGRC", key: "augrc", isLowerBetter: true, cell: (own) => numberCell(own?.augrc) },
  {
    title: "95% interval",
    key: "augrc_interval",
    isLowerBetter: null,
    cell: (own) => textCell(own === undefined ? "none" : formatInterval(own.augrc_intervals)),
  },
  { title: "ECE", key: "ece", isLowerBetter: true, cell: (own) => numberCell(own?.ece) },
  {
    title: "Promises kept",
    key: "promises_kept",
    isLowerBetter: null,
    cell: (own) => textCell(describePromises(own)),
  },
];

/** "2 of 2"; "none" where nothing was promised. */
export const describePromises = (own: ComparedQuality | undefined): string =>
  own === undefined || own.promises.made === 0 ? "none" : `${own.promises.kept} of ${own.promises.made}`;

function makeDifferencesTable({ studies, rows, differences }: StudiesComparison): Table {
  const nameOf = (place: number): string => {
    const { study, score } = rows[place]!;
    return `${studies[study]!.name}, ${titleOf(score).toLowerCase()}`;
  };
  return {
    name: "study-differences",
    title: "AUROC of the first study minus that of the second, on the questions that both have",
    columns: [
      { title: "First", key: "first", align: "left" },
      { title: "Second", key: "second", align: "left" },
      { title: "Shared questions", key: "shared_questions" },
      { title: "Difference", key: "auroc_difference" },
      { title: "95% interval", key: "interval" },
      { title: "p", key: "p_value" },
      { title: "p, Holm", key: "p_value_holm" },
    ],
    rows: groupRows(
      differences,
      ({ split }) => (split === "math_test" ? "Test questions" : "Out of distribution"),
      ({ first, second, shared_questions, result, p_value_holm }) => [
        textCell(nameOf(first)),
        textCell(nameOf(second)),
        count(shared_questions),
        signedCell(result?.auc_difference.estimate),
        textCell(formatInterval(result?.auc_difference.intervals ?? [], { decimals: 3, signed: true })),
        pValueCell(result?.p_value, result?.permutations),
        pValueCell(p_value_holm),
      ],
    ),
    note: "Questions are the same if their words are. Intervals resample the shared questions; Holm's correction is for all pairs on the same kind of questions.",
  };
}

const count = (value: number | undefined): Cell => ({
  text: value === undefined ? "none" : String(value),
  value: value ?? null,
});
