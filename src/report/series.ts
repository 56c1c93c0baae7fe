import { html, type SafeHtml } from "./html.ts";

/** How one line of a chart looks: a colour of the style sheet and a dash pattern, so that colour is not alone. */
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

/** A legend of line samples and names, with a note behind each name. */
export function drawLegend(entries: readonly { readonly series: Series; readonly note: string }[]): SafeHtml {
  return html`<ul class="legend">${entries.map(
    ({ series, note }) =>
      html`<li><svg width="28" height="10" aria-hidden="true"><line x1="0" y1="5" x2="28" y2="5" stroke="${series.color}" stroke-width="2.5" stroke-dasharray="${series.dash}"/></svg> ${series.name} <span class="quiet">${note}</span></li>`,
  )}</ul>`;
}
