import { type PlotOptions, plot } from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { type SafeHtml, trustedHtml } from "./html.ts";

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
  // Plot names its groups for readers of the source; on groups without a role such names are not allowed.
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
