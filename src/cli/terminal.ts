import { styleText } from "node:util";
import type { ManifestWarning } from "../store/manifest.ts";
import { groupWarnings } from "./group-warnings.ts";

/** What the CLI needs of an output stream; `process.stdout` is one. */
export interface OutputStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** A colour or weight that `util.styleText` knows. */
export type Style = "bold" | "gray" | "red" | "yellow" | "green" | "cyan";

/** Gives text a style, or leaves it alone. */
export type Paint = (style: Style, text: string) => string;

/**
 * Styles for one stream: on when it is a terminal, unless NO_COLOR is set to anything; FORCE_COLOR turns them
 * on for pipes too.
 * @see https://no-color.org
 */
export function createPaint(stream: OutputStream, env: Readonly<Record<string, string | undefined>>): Paint {
  const forced = env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "";
  const refused = (env.NO_COLOR ?? "") !== "" || env.TERM === "dumb";
  const enabled = !refused && (forced || stream.isTTY === true);
  return enabled
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text;
}

/** How a page of text is set on a stream. */
export interface Look {
  /** Characters in a line, at most. */
  readonly columns: number;
  readonly paint: Paint;
}

/** The width and the styles of a stream: 80 columns where it is no terminal, and never more than can be read with ease. */
export const lookOf = (
  stream: OutputStream,
  { env }: { readonly env: Readonly<Record<string, string | undefined>> },
): Look => ({
  columns: Math.max(NARROWEST, Math.min(stream.columns ?? USUAL_COLUMNS, WIDEST)),
  paint: createPaint(stream, env),
});

const NARROWEST = 40;
/** Of a pipe. */
export const USUAL_COLUMNS = 80;
const WIDEST = 110;

/** Text as lines of at most `width` characters, broken between words; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A message: on a terminal in lines, the further ones indented; one line in a log. */
export function setMessage(text: string, stream: OutputStream): string {
  const { columns } = lookOf(stream, { env: {} });
  return stream.isTTY === true ? wrap(text, columns - 2).join("\n  ") : text;
}

/** A text below a heading: its lines, the further ones indented. */
export function hang(text: string, columns: number): string[] {
  return wrap(text, Math.min(columns, USUAL_COLUMNS) - 4).map(
    (line, i) => `${i === 0 ? "  " : "    "}${line}`,
  );
}

/**
 * A row of a table: the first cell on the left of its column, numbers on the right of theirs.
 * @param widths  of the columns
 * @param columns what there is room for; the last ones of the table are left out where they do not fit
 */
export function layOutRow(cells: readonly string[], widths: readonly number[], columns: number): string {
  let used = 0;
  const shown = cells.filter((_, i) => {
    used += widths[i]!;
    return used <= columns;
  });
  return shown
    .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
    .join("")
    .trimEnd();
}

/** A block with each warning once, those that are alike as one; no block if there is none. */
export function describeWarnings(
  warnings: readonly ManifestWarning[],
  paint: Paint,
  columns: number = USUAL_COLUMNS,
): string[] {
  if (warnings.length === 0) return [];
  const texts = groupWarnings(warnings).map(({ code, message }) => `${message} [${code}]`);
  const lines = texts.map((text) => {
    const wrapped = wrap(text, columns - 4).join("\n    ");
    return `  ${wrapped.replace(/\[[a-z-]+\]$/, (code) => paint("gray", code))}`;
  });
  return [[paint("yellow", "Warnings"), ...lines].join("\n")];
}
