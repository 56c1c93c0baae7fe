import MarkdownIt from "markdown-it";

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
export const isMarkupLike = (value: unknown): value is Markup | { readonly outerHTML: string } =>
  value instanceof Markup ||
  (typeof value === "object" &&
    value !== null &&
    typeof (value as { outerHTML?: unknown }).outerHTML === "string");

export const markupOf = (value: Markup | { readonly outerHTML: string }): string =>
  value instanceof Markup ? value.markup : value.outerHTML;

const formatInline = (value: unknown): string => (value === undefined || value === null ? "" : String(value));

const escapeMarkdown = (text: string): string => text.replace(/[\\`*_{}[\]<>#|~]/g, "\\$&");

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const RENDERER = new MarkdownIt({ html: false, linkify: true, typographer: false });
/** Private-use characters: they do not occur in text, and Markdown leaves them alone. */
const PLACE = "\uE000";
const PLACES = /\uE000(\d+)\uE000/g;
