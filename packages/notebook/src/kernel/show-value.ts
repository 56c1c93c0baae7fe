import { inspect } from "node:util";
import MarkdownIt from "markdown-it";
import type { Output, TableOutput } from "../wire.ts";

/** Rows for a table that is only looked at; `ui.table` is the one to choose from. */
export class Table {
  readonly table: TableOutput;

  constructor(rows: readonly Readonly<Record<string, unknown>>[], columns?: readonly string[]) {
    this.table = makeTable(rows, columns);
  }
}

/** How a value is shown. What is too large is cut, and says so. */
export function showValue(value: unknown): Output {
  if (value instanceof Table) return value.table;
  if (isMarkupLike(value)) {
    const markup = markupOf(value);
    if (markup.length > MAX_MARKUP) {
      return {
        kind: "text",
        text: `Markup of ${markup.length} characters is too large to show; the limit is ${MAX_MARKUP}.`,
        isCut: true,
      };
    }
    return /^\s*<(svg|figure)\b/i.test(markup)
      ? { kind: "html", html: markup, isSvg: true }
      : { kind: "html", html: markup };
  }
  const text = typeof value === "string" ? value : formatValue(value);
  return text.length > MAX_TEXT
    ? { kind: "text", text: text.slice(0, MAX_TEXT), isCut: true }
    : { kind: "text", text };
}

/** A value as text, with limits on depth and length. */
const formatValue = (value: unknown): string =>
  inspect(value, { depth: 4, maxArrayLength: 60, maxStringLength: 4_000, breakLength: 96, compact: 3 });

/**
 * A table of records; the columns are those of the first rows unless they are named.
 * Numbers are rounded for the eye.
 */
export function makeTable(
  rows: readonly Readonly<Record<string, unknown>>[],
  columns: readonly string[] = [...new Set(rows.slice(0, 50).flatMap((row) => Object.keys(row)))],
): TableOutput {
  const kept = rows.slice(0, MAX_ROWS);
  return {
    kind: "table",
    columns: columns.map((name) => ({
      name,
      isNumeric: kept.length > 0 && kept.every((row) => typeof row[name] === "number" || row[name] == null),
    })),
    rows: kept.map((row) => columns.map((name) => formatCell(row[name]))),
    total: rows.length,
  };
}

function formatCell(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return formatNumber(value);
  const text = typeof value === "string" ? value : formatValue(value);
  return text.length > MAX_CELL ? `${text.slice(0, MAX_CELL - 1)}…` : text;
}

const formatNumber = (value: number): string =>
  Number.isInteger(value) || !Number.isFinite(value) ? String(value) : String(Number(value.toPrecision(4)));

/** Text that a page still shows without effort. */
const MAX_TEXT = 50_000;
/** A chart of some ten thousand marks. */
const MAX_MARKUP = 4_000_000;
const MAX_ROWS = 5_000;
const MAX_CELL = 500;

/** Markup that a cell made with `md` or `html`, or that stands for a chart. */
export class Markup {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

/** Markdown as HTML. Tags in the text stay text, so that a model's answer cannot be taken for markup. */
export function renderMarkdown(text: string): string {
  return RENDERER.render(text);
}

/** Tag of templates of Markdown: values go in as text, other markup as it is. */
export function md(pieces: TemplateStringsArray, ...values: readonly unknown[]): Markup {
  const inserted: string[] = [];
  const text = pieces.reduce((all, piece, at) => {
    const value = values[at - 1];
    if (!isMarkupLike(value)) return all + escapeMarkdown(formatInline(value)) + piece;
    inserted.push(markupOf(value));
    return `${all}${PLACE}${inserted.length - 1}${PLACE}${piece}`;
  });
  const rendered = renderMarkdown(text).replace(
    PLACES,
    (_whole, index: string) => inserted[Number(index)] ?? "",
  );
  return new Markup(rendered);
}

/** Tag of templates of HTML: values are escaped, other markup and lists of it go in as they are. */
export function html(pieces: TemplateStringsArray, ...values: readonly unknown[]): Markup {
  return new Markup(pieces.reduce((all, piece, at) => all + insert(values[at - 1]) + piece));
}

function insert(value: unknown): string {
  if (Array.isArray(value)) return value.map(insert).join("");
  return isMarkupLike(value) ? markupOf(value) : escapeHtml(formatInline(value));
}

/** Markup, or an element of a document such as a chart. */
const isMarkupLike = (value: unknown): value is Markup | { readonly outerHTML: string } =>
  value instanceof Markup ||
  (typeof value === "object" &&
    value !== null &&
    typeof (value as { outerHTML?: unknown }).outerHTML === "string");

const markupOf = (value: Markup | { readonly outerHTML: string }): string =>
  value instanceof Markup ? value.markup : value.outerHTML;

const formatInline = (value: unknown): string => (value === undefined || value === null ? "" : String(value));

const escapeMarkdown = (text: string): string => text.replace(/[\\`*_{}[\]<>#|~]/g, "\\$&");

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const RENDERER = new MarkdownIt({ html: false, linkify: true, typographer: false });
/** Private-use characters: they do not occur in text, and Markdown leaves them alone. */
const PLACE = "\uE000";
const PLACES = /\uE000(\d+)\uE000/g;
