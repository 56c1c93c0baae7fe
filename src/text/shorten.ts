/** Characters of a text that a message shows: enough to find it in its file. */
const MOST_CHARACTERS = 80;
/** Items of a list that a message shows. */
const MOST_NAMES = 5;
/** Levels of nested lists and objects that a message shows. */
const MOST_DEPTH = 2;

/** The beginning of a text that may be long, for a message. */
export function shorten(text: string, most: number = MOST_CHARACTERS): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

interface ListShortlyOptions {
  /** Items that are shown. */
  readonly most?: number;
  /** Between them. A semicolon is for items that are clauses of their own: none of them is cut short. */
  readonly separator?: ", " | "; ";
}

/** The first few of many: `a, b, c, d, e and 59,995 more`. */
export function listShortly(
  items: readonly string[],
  { most = MOST_NAMES, separator = ", " }: ListShortlyOptions = {},
): string {
  const isClauses = separator === "; ";
  const shown = items.slice(0, most).map((item) => (isClauses ? item : shorten(item)));
  const rest = items.length - shown.length;
  const more = `${isClauses ? ";" : ""} and ${rest.toLocaleString("en")} more`;
  return `${shown.join(separator)}${rest > 0 ? more : ""}`;
}

/**
 * The beginning of a value as JSON, for a message. Reads no more than it shows, so that huge and circular values cost
 * nothing.
 */
export const showShortly = (value: unknown, most: number = MOST_CHARACTERS): string =>
  shorten(show(value, 0), most);

function show(value: unknown, depth: number): string {
  if (typeof value === "string") return JSON.stringify(shorten(value));
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? String(value);
  if (depth === MOST_DEPTH) return "…";
  if (Array.isArray(value)) {
    const shown = value.slice(0, MOST_NAMES).map((item) => show(item, depth + 1));
    return `[${shown.join(",")}${value.length > MOST_NAMES ? ",…" : ""}]`;
  }
  const shown: string[] = [];
  for (const key in value) {
    if (shown.length === MOST_NAMES) {
      shown.push("…");
      break;
    }
    const item = (value as Readonly<Record<string, unknown>>)[key];
    shown.push(`${JSON.stringify(shorten(key))}:${show(item, depth + 1)}`);
  }
  return `{${shown.join(",")}}`;
}

/**
 * Text from outside, such as a server's message, for a terminal: printable, on one line, and not too long. Control
 * characters could move the cursor or change what is shown.
 */
export function printableLine(text: string | null, maxLength: number = MAX_LENGTH): string {
  const printable = (text ?? "").replace(/[^\x20-\x7e\u00a0-\uffff]+/g, " ").trim();
  return printable.length <= maxLength ? printable : `${printable.slice(0, maxLength)}…`;
}

const MAX_LENGTH = 200;
