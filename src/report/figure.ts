import { csvFormatRows } from "d3-dsv";
import type { EvaluatedSplit, HeldOutSplit } from "../evaluation/probe-eval.ts";
import { SCORE_INFO, type ScoreName } from "../evaluation/score-names.ts";
import type { LegendEntry } from "./chart.ts";
import type { SafeHtml } from "./html.ts";

/** A chart with its title, legend and notes, and the numbers it shows. */
export interface Figure {
  /** Of its files, without extension. */
  readonly name: FigureName;
  /** Below a heading of the page. */
  readonly title: string;
  /** Title of the standalone file: what it shows, and for which questions. */
  readonly heading: string;
  /** One `<svg>` in the colours of the page; null if there is nothing to draw. */
  readonly chart: SafeHtml | null;
  /** Why there is no chart. */
  readonly empty: string;
  readonly legend: readonly LegendEntry[];
  /** A sentence below the legend; null for none. */
  readonly note: string | null;
  /** Further content of the page only; null for none. */
  readonly below: SafeHtml | null;
  readonly data: FigureData;
}

/** File formats of figures, besides the CSV files of their numbers. */
export const FIGURE_FORMATS = ["svg", "pdf", "png"] as const;
export type FigureFormat = (typeof FIGURE_FORMATS)[number];

/** What a figure shows, as a table. */
interface FigureData {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

const SPLIT_FIGURES = ["roc", "precision-recall", "risk-coverage", "reliability"] as const;
export type SplitFigure = (typeof SPLIT_FIGURES)[number];

/** What splits are called in the names of files. */
export const SPLIT_FILES = { math_val: "val", math_test: "test", ood_test: "ood" } as const;

const STUDY_FIGURES = [
  "scores",
  "promises",
  "layers-incorrect",
  "layers-high-semantic-entropy",
  "entropy-histogram",
  "entropy-against-se-probe",
] as const;

/** Names of all figures that there can be. */
export type FigureName =
  | `${SplitFigure}-${(typeof SPLIT_FILES)[HeldOutSplit]}`
  | (typeof STUDY_FIGURES)[number]
  | "transfer";

/**
 * Names of the figures of a study's report, drawn or not.
 * @param withOod      whether there is a second question set
 * @param withTransfer whether there is a comparison of several data sets
 */
export function listFigures(withOod: boolean, withTransfer: boolean): FigureName[] {
  const splits = withOod ? (["test", "ood"] as const) : (["test"] as const);
  return [
    ...splits.flatMap((split) => SPLIT_FIGURES.map((figure) => `${figure}-${split}` as const)),
    ...STUDY_FIGURES,
    ...(withTransfer ? (["transfer"] as const) : []),
  ];
}

/** Folder of the figures' files, beside the page. */
export const FIGURE_FOLDER = "figures";
/** Folder of the tables' files. */
export const TABLE_FOLDER = "tables";

/** A figure's numbers as CSV (RFC 4180, line feeds), with a line of names; null is an empty field. */
export function figureCsv({ data: { columns, rows } }: Figure): string {
  const cells = rows.map((row) => row.map((cell) => (cell === null ? "" : String(cell))));
  return `${csvFormatRows([[...columns], ...cells])}\n`;
}

/** How each split is called in running text. */
export const SPLIT_TITLES: Readonly<Record<EvaluatedSplit, string>> = {
  math_val: "Validation",
  math_test: "Test",
  ood_test: "Other questions (out of distribution)",
};

/** The same in a standalone title. */
export const SPLIT_QUESTIONS: Readonly<Record<EvaluatedSplit, string>> = {
  math_val: "validation questions",
  math_test: "test questions",
  ood_test: "out-of-distribution questions",
};

/** How each score is called in running text. */
export const titleOf = (score: ScoreName): string => SCORE_INFO[score].title;
