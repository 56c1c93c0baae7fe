/** What a cell holds; the word that stands in code for the `type` attribute of its script element. */
export type CellKind = "js" | "ts" | "markdown" | "html" | "unsupported";

/** A cell as its file has it. */
export interface NotebookCell {
  /** Positive, and its own within the file; given by position where the file has none. */
  readonly id: number;
  /** Whether the file itself says so. */
  readonly hasOwnId: boolean;
  readonly kind: CellKind;
  /** The `type` attribute, for the message about a kind that is not supported. */
  readonly type: string;
  /** Without the indentation that the file gives it. */
  readonly source: string;
  /** Its code is shown, not only what it gives. */
  readonly pinned: boolean;
  /** Left out of every run, and with it what depends on it. */
  readonly disabled: boolean;
  /** Where its element begins and ends in the text, and its content between the tags. */
  readonly span: CellSpan;
}

/** Offsets into the file's text. */
interface CellSpan {
  readonly start: number;
  readonly contentStart: number;
  readonly contentEnd: number;
  readonly end: number;
}

/** A notebook file that was read: its text stays what it is, and edits change single spans of it. */
export interface NotebookFile {
  readonly text: string;
  readonly title: string;
  readonly cells: readonly NotebookCell[];
  /** Where the content of the notebook element ends: new last cells stand there. */
  readonly contentEnd: number;
}

/** The `type` attributes of Observable Notebook 2 files that this notebook runs. */
export const CELL_TYPES: Readonly<Record<Exclude<CellKind, "unsupported">, string>> = {
  js: "module",
  ts: "text/x-typescript",
  markdown: "text/markdown",
  html: "text/html",
};

/** The whitespace that all lines of a text that are not blank begin with. */
export function commonIndent(text: string): string {
  let common: string | null = null;
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const own = /^[ \t]*/.exec(line)?.[0] ?? "";
    common = common === null ? own : sharedPrefix(common, own);
  }
  return common ?? "";
}

/**
 * A cell's source, out of the text between its tags or as somebody typed it: no blank lines at its ends, and no
 * indentation that all lines share.
 */
export function tidySource(text: string): string {
  const lines = text
    .replace(/\r\n?/g, "\n")
    .replace(/^(?:[ \t]*\n)+/, "")
    .trimEnd();
  const indent = commonIndent(lines);
  return lines
    .split("\n")
    .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()))
    .join("\n");
}

/** Puts the indentation before each line that is not blank. */
export function indentLines(source: string, indent: string): string[] {
  return source.split("\n").map((line) => (line === "" ? "" : indent + line));
}

function sharedPrefix(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, length);
}
