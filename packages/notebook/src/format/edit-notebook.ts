import { SepError } from "semantic-entropy-probes/files";
import {
  CELL_TYPES,
  type CellKind,
  commonIndent,
  indentLines,
  type NotebookCell,
  type NotebookFile,
  tidySource,
} from "./notebook-file.ts";
import { decodeSource, encodeSource, parseNotebook } from "./parse-notebook.ts";
import { scanTags, type Tag, withoutAttribute } from "./scan-tags.ts";

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
    }
  /** Brings a deleted cell back, byte for byte. */
  | { readonly kind: "restore"; readonly removed: RemovedCell };

/** What it takes to restore a deleted cell. */
export interface RemovedCell {
  readonly id: number;
  /** Its element, with the line break and the blanks before it. */
  readonly text: string;
  /** The cells before it, the nearest last. */
  readonly before: readonly number[];
}

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
    text = splice(text, span.start, span.contentStart, withId(text.slice(span.start, span.contentStart), id));
  }
  return parseNotebook(text);
}

const withId = (tag: string, id: number): string =>
  withoutAttribute(tag, "id").replace(/^<script/i, `$& id="${id}"`);

function renumber(element: string, id: number): string {
  const tag = scanTags(element)[0] as Tag;
  return splice(element, tag.start, tag.end, withId(element.slice(tag.start, tag.end), id));
}

/** The id for a new cell: one more than the largest there is. */
export const nextCellId = ({ cells }: NotebookFile): number => Math.max(0, ...cells.map(({ id }) => id)) + 1;

/**
 * What a deletion takes out of the file.
 * @throws SepError `no-such-cell`
 */
export function describeRemoval(file: NotebookFile, id: number): RemovedCell {
  const named = writeIds(file);
  const cell = findCell(named, id);
  const [from, to] = lineSpan(named, cell);
  const before = named.cells.slice(0, named.cells.indexOf(cell)).map((each) => each.id);
  return { id, text: named.text.slice(from, to), before };
}

/** @throws SepError `no-such-cell` */
export function findCell({ cells }: Pick<NotebookFile, "cells">, id: number): NotebookCell {
  const cell = cells.find((each) => each.id === id);
  if (cell !== undefined) return cell;
  throw new SepError(
    "no-such-cell",
    `There is no cell ${id}, expected one of ${cells.map((each) => each.id).join(", ") || "none, since the notebook is empty"}. List the cells again.`,
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
      const changed = edit.disabled ? tag.replace(/>$/, " disabled>") : withoutAttribute(tag, "disabled");
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
    case "restore": {
      const { id, before, text: element } = edit.removed;
      const after = before.findLast((each) => file.cells.some((cell) => cell.id === each)) ?? null;
      const at = insertionPoint(file, after);
      // a newer cell may have got the number
      const isTaken = file.cells.some((cell) => cell.id === id);
      return splice(text, at, at, isTaken ? renumber(element, nextCellId(file)) : element);
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

/** New content that keeps the lines that did not change as they were, with whatever blanks and line ends they have. */
function replaceContent(content: string, source: string): string {
  const old = tidySource(decodeSource(content));
  if (old === source) return content;
  const usualEnd = /\r\n|\r|\n/.exec(content)?.[0] ?? "\n";
  if (content.trim() === "") {
    const lines = indentLines(encodeSource(source), CONTENT_INDENT);
    return [...["", ...lines].flatMap((line) => [line, usualEnd]), CELL_INDENT].join("");
  }
  const head = /^(?:[ \t]*(?:\r\n|\r|\n))*/.exec(content)?.[0] ?? "";
  const tail = /(?:(?:\r\n|\r|\n)\s*)?$/.exec(content)?.[0] ?? "";
  const rawLines = splitLines(content.slice(head.length, content.length - tail.length));
  const newLines = source.split("\n");
  const fresh = indentLines(encodeSource(source), commonIndent(content.replace(/\r\n?/g, "\n")));
  const same = countSame(old.split("\n"), newLines);
  const lines: readonly Line[] = [
    ...rawLines.slice(0, same.start),
    ...fresh.slice(same.start, newLines.length - same.end).map((text) => ({ text, end: usualEnd })),
    ...rawLines.slice(rawLines.length - same.end),
  ];
  const last = lines.length - 1;
  return head + lines.map(({ text, end }, at) => text + (at === last ? "" : end || usualEnd)).join("") + tail;
}

/** A line of a file with what ends it; the last one has nothing there. */
interface Line {
  readonly text: string;
  readonly end: string;
}

const splitLines = (text: string): Line[] =>
  text.split(/(?<=\r\n|\n|\r(?!\n))/).map((line) => {
    const end = /(?:\r\n|\r|\n)?$/.exec(line)?.[0] ?? "";
    return { text: line.slice(0, line.length - end.length), end };
  });

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

const CELL_INDENT = "  ";
const CONTENT_INDENT = "    ";
