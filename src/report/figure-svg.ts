import { DOMParser } from "linkedom";
import {
  CHART_WIDTH,
  drawMark,
  FONT_SIZE,
  type LegendEntry,
  MARK_HEIGHT,
  MARK_WIDTH,
  printColour,
} from "./chart.ts";
import type { Figure } from "./figure.ts";
import { html, type SafeHtml, trustedHtml } from "./html.ts";

/** Fonts of the same widths first: Arimo, in which PDF and PNG files are set, has those of Helvetica and Arial. */
const FONT_FAMILY = "Helvetica, Arial, sans-serif";
const HEADING_SIZE = 14;
/** Of a line of text, in ems; where in it letters stand. */
const LINE_HEIGHT = 1.4;
const BASELINE = 0.72;
/** How much wider bold letters are. */
const BOLD = 1.15;
const MARGIN = 16;

/**
 * A figure as an SVG file that stands alone: heading, chart, legend and note in resolved colours on white, with
 * attributes only, since editors and converters to PDF ignore style sheets. One that could not be drawn says why.
 */
export function figureSvg({ heading, chart, empty, legend, note }: Figure): string {
  const drawn = chart === null ? null : resolveChart(chart);
  const width = drawn?.width ?? CHART_WIDTH;
  const { parts, height } = stackBlocks([
    ...setText(heading, width, { size: HEADING_SIZE, bold: true }),
    gap(4),
    ...(drawn === null ? setText(empty, width) : [drawn]),
    gap(6),
    ...legend.flatMap((entry) => setEntry(entry, width)),
    ...(note === null ? [] : setText(note, width, { color: "var(--quiet)" })),
    gap(MARGIN / 2),
  ]);
  const svg = html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${FONT_FAMILY}" font-size="${FONT_SIZE}" fill="${printColour("currentColor")}" role="img"><title>${heading}</title>${drawn === null ? "" : html`<desc>${drawn.label}</desc>`}<rect width="${width}" height="${height}" fill="${printColour("var(--paper)")}"/>${parts}</svg>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n${svg.markup}\n`;
}

/** A part of a figure over its whole width. */
interface Block {
  readonly height: number;
  draw(top: number): SafeHtml;
}

/** Stacks blocks vertically. */
function stackBlocks(blocks: readonly Block[]): { readonly parts: SafeHtml[]; readonly height: number } {
  let top = MARGIN / 2;
  const parts: SafeHtml[] = [];
  for (const block of blocks) {
    parts.push(block.draw(top));
    top += block.height;
  }
  return { parts, height: Math.ceil(top) };
}

const gap = (height: number): Block => ({ height, draw: () => html`` });

interface TextLook {
  readonly size?: number;
  readonly bold?: boolean;
  readonly color?: string;
  readonly left?: number;
}

/** A text in as many lines as it takes. */
function setText(
  text: string,
  width: number,
  { size = FONT_SIZE, bold = false, color = "currentColor", left = MARGIN }: TextLook = {},
): Block[] {
  const height = LINE_HEIGHT * size;
  const weight = bold ? html` font-weight="bold"` : html``;
  const room = (width - left - MARGIN) / size;
  return wrapText(text, bold ? room / BOLD : room).map((line) => ({
    height,
    draw: (top) =>
      html`<text x="${left}" y="${round(top + BASELINE * height)}" font-size="${size}"${weight} fill="${printColour(color)}">${line}</text>`,
  }));
}

/** An entry of the legend; its mark is before the first line. */
function setEntry({ mark, name, note }: LegendEntry, width: number): Block[] {
  const text = note === "" ? name : `${name}: ${note}`;
  const [first, ...rest] = setText(text, width, { left: MARGIN + MARK_WIDTH + 8 });
  const { height, draw } = first!;
  const markup = resolveMarkup(drawMark(mark).markup);
  const drawBoth = (top: number): SafeHtml => {
    const at = round(top + (height - MARK_HEIGHT) / 2);
    return html`${trustedHtml(`<g transform="translate(${MARGIN},${at})">${markup}</g>`)}${draw(top)}`;
  };
  return [{ height, draw: drawBoth }, ...rest];
}

const round = (value: number): number => Math.round(10 * value) / 10;

/** The chart of a page as part of a file. */
function resolveChart(chart: SafeHtml): Block & { readonly width: number; readonly label: string } {
  const svg = parseSvg(chart.markup);
  const read = (name: string): string => svg.getAttribute(name) ?? "";
  const [width, height, label] = [Number(read("width")), Number(read("height")), read("aria-label")];
  for (const style of svg.querySelectorAll("style")) style.remove();
  for (const element of svg.querySelectorAll("*")) resolveAttributes(element);
  const markup = svg.innerHTML;
  const draw = (top: number): SafeHtml =>
    trustedHtml(`<g transform="translate(0,${round(top)})" text-anchor="middle">${markup}</g>`);
  return { width, height, label, draw };
}

function resolveMarkup(markup: string): string {
  const svg = parseSvg(`<svg xmlns="http://www.w3.org/2000/svg">${markup}</svg>`);
  for (const element of svg.querySelectorAll("*")) resolveAttributes(element);
  return svg.innerHTML;
}

const parseSvg = (markup: string): SvgElement =>
  new DOMParser().parseFromString(markup, "image/svg+xml").documentElement as unknown as SvgElement;

/** Attributes that only make sense on a page. */
const OF_PAGES = ["class", "style", "aria-hidden", "aria-label", "font-variant"];

function resolveAttributes(element: SvgElement): void {
  // some converters to PDF fill lines, which paints a hairline of the text's colour
  if (element.localName === "line") element.setAttribute("fill", "none");
  for (const name of OF_PAGES) element.removeAttribute(name);
  for (const { name, value } of [...element.attributes]) {
    const resolved = printColour(value);
    if (resolved !== value) element.setAttribute(name, resolved);
  }
}

/** What is used of an element; this package compiles without the DOM's types. */
interface SvgElement {
  readonly attributes: Iterable<{ readonly name: string; readonly value: string }>;
  readonly innerHTML: string;
  readonly localName: string;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  querySelectorAll(selector: string): Iterable<SvgElement>;
  remove(): void;
}

/**
 * About how wide a text is in a sans-serif font, in ems; overestimated, since the reader's font is
 * unknown.
 */
export const textWidth = (text: string): number =>
  [...text].reduce((sum, character) => sum + widthOf(character), 0);

function widthOf(character: string): number {
  if (/[ijlI.,:;'|!()[\] ftr/-]/.test(character)) return 0.36;
  if (/[mwMW@%]/.test(character)) return 0.95;
  if (/[A-Z]/.test(character)) return 0.72;
  return character.charCodeAt(0) < FIRST_WIDE ? 0.61 : 1.05;
}

/** Scripts from here on, Hangul and Chinese among them, fill the square. */
const FIRST_WIDE = 0x1100;

/** Breaks a text at spaces into lines of at most `width` ems; a longer word has its own line. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const joined = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && textWidth(joined) <= width) lines[lines.length - 1] = joined;
    else lines.push(word);
  }
  return lines;
}

/** A text of at most `width` ems: its beginning and its end, around an ellipsis, where it is longer. */
export function fitText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  const characters = [...text];
  for (let kept = characters.length - 1; kept > 2; kept--) {
    const shown = `${characters.slice(0, Math.ceil(kept / 2)).join("")}…${characters.slice(-Math.floor(kept / 2)).join("")}`;
    if (textWidth(shown) <= width) return shown;
  }
  return "…";
}
