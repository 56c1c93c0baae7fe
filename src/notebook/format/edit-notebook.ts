import { SepError } from "../../errors.ts";
import { commonIndent, dedent, indentLines, tidySource } from "./indentation.ts";
import { CELL_TYPES, type CellKind, type NotebookCell, type NotebookFile } from "./notebook-file.ts";
import { decodeSource, encodeSource, parseNotebook } from "./parse-notebook.ts";

/** A change of one cell; every other byte of the file stays. */
export type NotebookEdit =
  | { readonly kind: "source"; readonly id: number; readonly source: string }
  | { readonly kind: "disable"; readonly id: number; readonly disabled: boolean }
  | { readonly kind: "delete"; readonly id: number }
  /** Puts a cell behind another one; null puts it first. */
  | { readonly kind: "move"; readonly id: number; readonly after: number | null }
  | {
      readonly kind: "add";
      readonly id: number;
      readonly after: number | null;
      readonly cellKind: Exclude<CellKind, "unsupported">;
      readonly source: string;
    };

/**
 * Makes one change in a notebook's text.
 * @throws SepError `no-such-cell`
 */
export function editNotebook(file: NotebookFile, edit: NotebookEdit): NotebookFile {
  const keepsPlaces = edit.kind === "source" || edit.kind === "disable";
  return parseNotebook(changeText(keepsPlaces ? file : writeIds(file), edit));
}

/** Ids that were given by position are written down before positions change. */
function writeIds(file: NotebookFile): NotebookFile {
  let { text } = file;
  for (const { id, hasOwnId, span } of [...file.cells].reverse()) {
    if (hasOwnId) continue;
    const tag = text.slice(span.start, span.contentStart).replace(ID_ATTRIBUTE, "");
    text = splice(text, span.start, span.contentStart, tag.replace(/^<script/i, `$& id="${id}"`));
  }
  return parseNotebook(text);
}

/** The id for a new cell: one more than the largest there is. */
export const nextCellId = ({ cells }: NotebookFile): number => Math.max(0, ...cells.map(({ id }) => id)) + 1;

/** @throws SepError `no-such-cell` */
export function findCell({ cells }: Pick<NotebookFile, "cells">, id: number): NotebookCell {
  const cell = cells.find((each) => each.id === id);
  if (cell !== undefined) return cell;
  throw new SepError(
    "no-such-cell",
    `There is no cell ${id}, expected one of ${cells.map((each) => each.id).join(", ") || "none: the notebook is empty"}. List the cells again.`,
  );
}

function changeText(file: NotebookFile, edit: NotebookEdit): string {
  const { text } = file;
  switch (edit.kind) {
    case "source": {
      const { span } = findCell(file, edit.id);
      const content = text.slice(span.contentStart, span.contentEnd);
      const changed = replaceContent(content, tidySource(edit.source));
      return splice(text, span.contentStart, span.contentEnd, changed);
    }
    case "disable": {
      const { span, disabled } = findCell(file, edit.id);
      if (disabled === edit.disabled) return text;
      const tag = text.slice(span.start, span.contentStart);
      const changed = edit.disabled ? tag.replace(/>$/, " disabled>") : tag.replace(DISABLED_ATTRIBUTE, "");
      return splice(text, span.start, span.contentStart, changed);
    }
    case "delete": {
      const [from, to] = lineSpan(file, findCell(file, edit.id));
      return splice(text, from, to, "");
    }
    case "move": {
      if (edit.id === edit.after) return text;
      const [from, to] = lineSpan(file, findCell(file, edit.id));
      const moved = text.slice(from, to);
      const at = insertionPoint(file, edit.after);
      return at <= from
        ? text.slice(0, at) + moved + text.slice(at, from) + text.slice(to)
        : text.slice(0, from) + text.slice(to, at) + moved + text.slice(at);
    }
    case "add": {
      const at = insertionPoint(file, edit.after);
      const body = indentLines(encodeSource(tidySource(edit.source)), CONTENT_INDENT).join("\n");
      const isCode = edit.cellKind === "ts" || edit.cellKind === "js";
      const tag = `<script id="${edit.id}" type="${CELL_TYPES[edit.cellKind]}"${isCode ? " pinned" : ""}>`;
      return splice(text, at, at, `\n${CELL_INDENT}${tag}\n${body}\n${CELL_INDENT}</script>`);
    }
  }
}

const splice = (text: string, from: number, to: number, insert: string): string =>
  text.slice(0, from) + insert + text.slice(to);

/**
 * A cell with the line break and the blanks before it: what goes when it is deleted or moved. A comment between
 * two cells stays where it is.
 */
function lineSpan({ text }: NotebookFile, { span }: NotebookCell): readonly [number, number] {
  const before = /\r?\n[ \t]*$/.exec(text.slice(0, span.start))?.[0] ?? "";
  return [span.start - before.length, span.end];
}

function insertionPoint(file: NotebookFile, after: number | null): number {
  if (after !== null) return findCell(file, after).span.end;
  const [first] = file.cells;
  if (first !== undefined) return lineSpan(file, first)[0];
  const tail = /\s*$/.exec(file.text.slice(0, file.contentEnd))?.[0] ?? "";
  return file.contentEnd - tail.length;
}

/** New content that keeps the lines that did not change as they were, with whatever blanks they have. */
function replaceContent(content: string, source: string): string {
  const old = dedent(decodeSource(content));
  if (old === source) return content;
  const isEmpty = content.trim() === "";
  const eol = content.includes("\r\n") ? "\r\n" : "\n";
  const head = isEmpty ? eol : (/^[ \t]*\r?\n/.exec(content)?.[0] ?? "");
  const tail = isEmpty ? eol + CELL_INDENT : (/\r?\n[ \t]*$/.exec(content)?.[0] ?? "");
  const rawLines = content
    .slice(isEmpty ? content.length : head.length, content.length - (isEmpty ? 0 : tail.length))
    .split(/\r?\n/);
  const newLines = source.split("\n");
  const fresh = indentLines(encodeSource(source), isEmpty ? CONTENT_INDENT : commonIndent(content));
  const same = countSame(old.split("\n"), newLines);
  const lines = [
    ...rawLines.slice(0, same.start),
    ...fresh.slice(same.start, newLines.length - same.end),
    ...rawLines.slice(rawLines.length - same.end),
  ];
  return head + lines.join(eol) + tail;
}

/** How many lines two texts share at their start, and then at their end. */
function countSame(
  before: readonly string[],
  after: readonly string[],
): { readonly start: number; readonly end: number } {
  const limit = Math.min(before.length, after.length);
  let start = 0;
  while (start < limit && before[start] === after[start]) start += 1;
  let end = 0;
  while (end < limit - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  return { start, end };
}

const DISABLED_ATTRIBUTE = /\s+disabled(\s*=\s*("[^"]*"|'[^']*'|[^\s>]+))?(?=[\s>])/i;
const ID_ATTRIBUTE = /\s+id(\s*=\s*("[^"]*"|'[^']*'|[^\s>]+))?(?=[\s>])/i;
const CELL_INDENT = "  ";
const CONTENT_INDENT = "    ";
