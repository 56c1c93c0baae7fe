/** Text that is already HTML; only {@link html} and {@link trustedHtml} make it. */
export interface SafeHtml {
  readonly markup: string;
}

/**
 * Builds HTML from a template: everything put into it is escaped, except {@link SafeHtml} and lists of it.
 * Attribute values must be in double quotes.
 */
export function html(
  pieces: TemplateStringsArray,
  ...values: readonly (string | number | SafeHtml | readonly SafeHtml[])[]
): SafeHtml {
  const markup = pieces.reduce((text, piece, i) => text + render(values[i - 1] ?? "") + piece);
  return { markup };
}

/** Marks markup made by this package, such as a chart or the style sheet, as HTML. Never for text from outside. */
export const trustedHtml = (markup: string): SafeHtml => ({ markup });

/** Escapes text for HTML content and double-quoted attributes. */
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function render(value: string | number | SafeHtml | readonly SafeHtml[]): string {
  if (typeof value === "string") return escapeHtml(value);
  if (typeof value === "number") return String(value);
  return "markup" in value ? value.markup : value.map((part) => part.markup).join("");
}
