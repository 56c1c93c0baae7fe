import { type PlotOptions, plot } from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { html, type SafeHtml, trustedHtml } from "./html.ts";

/** Charts are drawn at about a phone's width, so that their text stays readable there. */
export const CHART_WIDTH = 440;
export const FONT_SIZE = 12;
const CHART_HEIGHT = 320;

/**
 * Draws a chart as inline SVG, without a browser.
 * @param label what the chart shows, in words, for those who cannot see it
 */
export function drawChart(label: string, options: PlotOptions): SafeHtml {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg = plot({
    document: document as unknown as NonNullable<PlotOptions["document"]>,
    width: CHART_WIDTH,
    height: CHART_HEIGHT,
    style: { background: "none", fontSize: `${FONT_SIZE}px`, fontFamily: "inherit" } as never,
    marginTop: 28,
    marginLeft: 45,
    marginBottom: 46,
    ...options,
    x: { labelAnchor: "center", labelArrow: "none", labelOffset: 40, ...options.x },
  }) as unknown as SvgElement;
  // Plot labels its groups; labels are not allowed on groups without a role.
  for (const group of svg.querySelectorAll("g[aria-label]")) group.removeAttribute("aria-label");
  // As a file of its own it needs the namespace, which a page does not.
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  return trustedHtml(svg.outerHTML);
}

/** What is used of the element that Plot returns; this package compiles without the DOM's types. */
interface SvgElement {
  readonly outerHTML: string;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  querySelectorAll(selector: string): Iterable<SvgElement>;
}

/** Style of one line of a chart: a colour of the palette and a dash pattern, so that colour is not the only cue. */
interface Series {
  readonly name: string;
  readonly color: string;
  readonly dash: string;
}

/** The looks of the main scores. */
const LOOKS: readonly Omit<Series, "name">[] = [
  { color: "var(--series-1)", dash: "none" },
  { color: "var(--series-2)", dash: "7 3" },
  { color: "var(--series-3)", dash: "2 3" },
  { color: "var(--series-4)", dash: "9 3 2 3" },
];

/** Gives each name the next dash pattern, in the colour of text: colours are for scores. */
export const makeSeries = (names: readonly string[]): Series[] =>
  names.map((name, i) => ({ name, color: "currentColor", dash: LOOKS[i % LOOKS.length]!.dash }));

/** The look of each score, the same in every chart; scores without a colour of their own are grey. */
export const lookOf = (score: string): Omit<Series, "name"> =>
  SCORE_LOOKS[score] ?? { color: "var(--quiet)", dash: "none" };

const SCORE_LOOKS: Readonly<Record<string, Omit<Series, "name">>> = {
  accuracy_probe: LOOKS[0]!,
  se_probe: LOOKS[1]!,
  se_probe_high_se: LOOKS[1]!,
  entropy_baseline: LOOKS[2]!,
  semantic_entropy: LOOKS[3]!,
  discrete_semantic_entropy: LOOKS[3]!,
};

/** An entry of a chart's legend: a sample of the mark, and its name. */
export interface LegendEntry {
  readonly mark: Mark;
  readonly name: string;
  /** After the name, less prominent; may be empty. */
  readonly note: string;
}

type Mark =
  | { readonly kind: "line"; readonly color: string; readonly dash: string }
  | { readonly kind: "band" | "bar" | "dot" | "disc" | "circle" | "cross" | "ring"; readonly color: string }
  /** Shades of a map, from chance to 1. */
  | { readonly kind: "shades"; readonly color: string };

/** A reference line, not a result. */
export const REFERENCE_LINE: Mark = { kind: "line", color: "var(--rule)", dash: "3 3" };

/** Entries of a chart's lines. */
export const describeSeries = (
  entries: readonly { readonly series: Series; readonly note: string }[],
): LegendEntry[] =>
  entries.map(({ series: { name, color, dash }, note }) => ({
    mark: { kind: "line", color, dash },
    name,
    note,
  }));

export const MARK_WIDTH = 28;
export const MARK_HEIGHT = 10;

/** The legend of a chart on a page. */
export function drawLegend(entries: readonly LegendEntry[]): SafeHtml {
  if (entries.length === 0) return html``;
  return html`<ul class="legend">${entries.map(
    ({ mark, name, note }) =>
      html`<li><svg width="${MARK_WIDTH}" height="${MARK_HEIGHT}" aria-hidden="true">${drawMark(mark)}</svg> ${name} <span class="quiet">${note}</span></li>`,
  )}</ul>`;
}

/** The SVG of a mark, in a box of `MARK_WIDTH` by `MARK_HEIGHT`. */
export function drawMark(mark: Mark): SafeHtml {
  const { kind, color } = mark;
  switch (kind) {
    case "line":
      return html`<line x1="0" y1="5" x2="28" y2="5" stroke="${color}" stroke-width="2.5" stroke-dasharray="${mark.dash}"/>`;
    case "band":
      return html`<rect x="0" y="0" width="28" height="10" fill="${color}" fill-opacity="0.2"/>`;
    case "bar":
      return html`<rect x="9" y="0" width="10" height="10" fill="${color}"/>`;
    case "dot":
      return html`<circle cx="8" cy="5" r="2" fill="${color}"/><circle cx="20" cy="5" r="5" fill="${color}"/>`;
    case "disc":
      return html`<circle cx="14" cy="5" r="4" fill="${color}"/>`;
    case "circle":
      return html`<circle cx="14" cy="5" r="4" fill="none" stroke="${color}" stroke-width="1.5"/>`;
    case "cross":
      return html`<path d="M10 1L18 9M10 9L18 1" fill="none" stroke="${color}" stroke-width="1.5"/>`;
    case "ring":
      return html`<circle cx="14" cy="5" r="4" fill="none" stroke="${color}" stroke-width="2"/>`;
    case "shades":
      return html`${SHADES.map(
        (auroc, i) =>
          html`<rect x="${i * SHADE_WIDTH}" y="0" width="${SHADE_WIDTH}" height="10" fill="${color}" fill-opacity="${shadeOf(auroc)}"/>`,
      )}<rect x="0.25" y="0.25" width="27.5" height="9.5" fill="none" stroke="var(--rule)" stroke-width="0.5"/>`;
  }
}

/** AUROCs whose shades stand for the range. */
const SHADES = [0.5, 0.6, 0.7, 0.8, 0.9, 1] as const;
const SHADE_WIDTH = MARK_WIDTH / SHADES.length;

/** Entry of a map that is shaded by AUROC. */
export const SHADE_ENTRY: LegendEntry = {
  mark: { kind: "shades", color: "var(--series-1)" },
  name: "AUROC, from 0.5 or less to 1",
  note: "",
};

/** Colours by name. Text on `paper` and `panel` has a contrast of at least 4.5, lines of charts of at least 3. */
type Colours = Readonly<Record<(typeof NAMES)[number], string>>;

const NAMES = [
  "paper",
  "ink",
  "quiet",
  "rule",
  "panel",
  "warn",
  "warn-ink",
  "series-1",
  "series-2",
  "series-3",
  "series-4",
  "right",
  "wrong",
  "good",
  "unsure",
  "bad",
] as const;

const LIGHT: Colours = {
  paper: "#fcfcfa",
  ink: "#1c1d20",
  quiet: "#5c6068",
  rule: "#c9ccd1",
  panel: "#f1f2ef",
  warn: "#fff3d6",
  "warn-ink": "#5f4300",
  "series-1": "#0067a3",
  "series-2": "#c04f00",
  "series-3": "#00795a",
  "series-4": "#9c3d78",
  right: "#00684c",
  wrong: "#a63a00",
  good: "#00684c",
  unsure: "#8a5a00",
  bad: "#b3261e",
};

const DARK: Colours = {
  paper: "#16181c",
  ink: "#e9eaec",
  quiet: "#a3a8b1",
  rule: "#444952",
  panel: "#1f2228",
  warn: "#3a2f14",
  "warn-ink": "#f3dca4",
  "series-1": "#64b9ee",
  "series-2": "#f59a5d",
  "series-3": "#4fcfa5",
  "series-4": "#e39ac6",
  right: "#62d3ab",
  wrong: "#f59a5d",
  good: "#62d3ab",
  unsure: "#f0c259",
  bad: "#ff8a80",
};

/** For standalone files: the light colours on white, with reference lines dark enough for a printer. */
const PRINT: Colours = { ...LIGHT, paper: "#ffffff", rule: "#a5a9b0" };

const declare = (colours: Colours): string => NAMES.map((name) => `--${name}: ${colours[name]};`).join(" ");

/** The colours of pages and their charts, as variables that follow the reader's system. */
export const PALETTE: string = `:root { color-scheme: light dark; ${declare(LIGHT)} }
@media screen and (prefers-color-scheme: dark) { :root { ${declare(DARK)} } }`;

/**
 * Resolves a page's colour for print: `var(--series-1)` and `currentColor` become literal colours.
 * @throws RangeError for a variable that is not of the palette
 */
export function printColour(value: string): string {
  if (value === "currentColor") return PRINT.ink;
  const variable = /^var\(--(.*)\)$/.exec(value)?.[1];
  if (variable === undefined) return value;
  const name = NAMES.find((each) => each === variable);
  if (name === undefined) throw new RangeError(`The palette has no color --${variable}.`);
  return PRINT[name];
}

/** Text stays readable on this much of a line's colour, light or dark. */
const DARKEST = 0.55;

/** Opacity of a cell for an AUROC: none at chance or below, full at 1. */
export const shadeOf = (auroc: number): number => DARKEST * Math.min(1, Math.max(0, 2 * auroc - 1));
