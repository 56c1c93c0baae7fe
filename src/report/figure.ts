import { csvFormatRows } from "d3-dsv";
import { html, type SafeHtml, trustedHtml } from "./html.ts";
import { PALETTE } from "./palette.ts";

/** A chart, what is around it on the page, and the numbers it shows. */
export interface Figure {
  /** Of its files, without their endings. */
  readonly name: FigureName;
  readonly title: string;
  /** Behind the title; null for nothing. */
  readonly aside: SafeHtml | null;
  /** One `<svg>`; null where there is nothing to draw. */
  readonly chart: SafeHtml | null;
  /** Why there is no chart. */
  readonly empty: string;
  /** Legend and words below it; null for nothing. */
  readonly below: SafeHtml | null;
  readonly data: FigureData;
}

/** What a figure shows, as a table. */
export interface FigureData {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

const SPLIT_FIGURES = ["roc", "precision-recall", "risk-coverage", "reliability"] as const;
export type SplitFigure = (typeof SPLIT_FIGURES)[number];

/** Splits whose results count; validation chose the thresholds. */
export const HELD_OUT = { math_test: "test", ood_test: "ood" } as const;
export type HeldOutSplit = keyof typeof HELD_OUT;
export const HELD_OUT_SPLITS: readonly HeldOutSplit[] = ["math_test", "ood_test"];

const STUDY_FIGURES = [
  "layers-incorrect",
  "layers-high-semantic-entropy",
  "layer-map-incorrect",
  "layer-map-high-semantic-entropy",
  "entropy-histogram",
  "entropy-against-se-probe",
] as const;

/** Names of all figures that there can be. */
export type FigureName =
  | `${SplitFigure}-${(typeof HELD_OUT)[HeldOutSplit]}`
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

/** Where the files of figures stand, beside the page. */
export const FIGURE_FOLDER = "figures";

/** A figure on a page, with links to its files. */
export function drawFigure({ name, title, aside, chart, empty, below }: Figure): SafeHtml {
  const body = chart ?? html`<p class="quiet">${empty}</p>`;
  const note = aside === null ? "" : html` <span class="quiet">${aside}</span>`;
  const file = `${FIGURE_FOLDER}/${name}`;
  return html`<figure><figcaption>${title}${note}</figcaption>${body}${below ?? ""}<p class="files"><a href="${file}.svg" aria-label="${title}, ${name}: SVG file">SVG</a> <a href="${file}.csv" aria-label="${title}, ${name}: CSV file">CSV</a></p></figure>`;
}

/**
 * A figure as an SVG file that needs nothing beside it, light or dark as the viewer is. One that could not be drawn
 * says why.
 */
export function figureSvg({ chart, empty, title }: Figure): string {
  const drawn =
    chart ??
    html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 440 60" width="440" height="60" font-family="sans-serif" font-size="12"><text x="10" y="24" fill="currentColor">${title}</text><text x="10" y="44" fill="currentColor">${empty}</text></svg>`;
  // on a page the chart inherits its font, by an attribute that a rule must outdo here
  const style = `<style>${PALETTE}\nsvg { color: var(--ink); font-family: system-ui, sans-serif !important; }</style>`;
  return `${drawn.markup.replace(/^<svg[^>]*>/, (tag) => `${tag}${trustedHtml(style).markup}`)}\n`;
}

/** A figure's numbers as CSV (RFC 4180, line feeds), with a line of names; null is an empty field. */
export function figureCsv({ data: { columns, rows } }: Figure): string {
  const cells = rows.map((row) => row.map((cell) => (cell === null ? "" : String(cell))));
  return `${csvFormatRows([[...columns], ...cells])}\n`;
}
