import { html, type SafeHtml } from "./html.ts";
import { shadeOf } from "./shade.ts";

/** How one line of a chart looks: a colour of the palette and a dash pattern, so that colour is not alone. */
export interface Series {
  readonly name: string;
  readonly color: string;
  readonly dash: string;
}

/** The looks, in the order in which a chart's lines take them. */
const LOOKS: readonly Omit<Series, "name">[] = [
  { color: "var(--series-1)", dash: "none" },
  { color: "var(--series-2)", dash: "7 3" },
  { color: "var(--series-3)", dash: "2 3" },
  { color: "var(--series-4)", dash: "9 3 2 3" },
];

/** Gives each name the next look. */
export const makeSeries = (names: readonly string[]): Series[] =>
  names.map((name, i) => ({ name, ...LOOKS[i % LOOKS.length]! }));

/** What a chart shows, beside its name: a sample of the mark as it is drawn. */
export interface LegendEntry {
  readonly mark: Mark;
  readonly name: string;
  /** Behind the name, less prominent; may be empty. */
  readonly note: string;
}

type Mark =
  | { readonly kind: "line"; readonly color: string; readonly dash: string }
  | { readonly kind: "band" | "bar" | "dot" | "circle" | "cross" | "ring" | "frame"; readonly color: string }
  /** Shades of a map, from chance to 1. */
  | { readonly kind: "shades"; readonly color: string };

/** A line that is there to compare with, not a result. */
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
    case "circle":
      return html`<circle cx="14" cy="5" r="4" fill="none" stroke="${color}" stroke-width="1.5"/>`;
    case "cross":
      return html`<path d="M10 1L18 9M10 9L18 1" fill="none" stroke="${color}" stroke-width="1.5"/>`;
    case "ring":
      return html`<circle cx="14" cy="5" r="4" fill="none" stroke="${color}" stroke-width="2"/>`;
    case "frame":
      return html`<rect x="7" y="1" width="14" height="8" fill="none" stroke="${color}" stroke-width="2"/>`;
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
