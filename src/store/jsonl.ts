import { createReadStream } from "node:fs";
import { SepError } from "../errors.ts";
import { requireText } from "./require-text.ts";
import { stringifyRow } from "./stringify-row.ts";
import { writeAtomic } from "./write-atomic.ts";

/** A line that could not be used, for people to find and mend. */
export interface LineProblem {
  /** From 1. */
  readonly line: number;
  readonly reason: string;
  /** The beginning of the line. */
  readonly excerpt: string;
}

/** The usable rows of a JSONL file in file order, and every line that is not among them. */
export interface JsonlContent<T> {
  readonly rows: readonly T[];
  readonly problems: readonly LineProblem[];
}

/**
 * Reads a JSONL file, one line in memory at a time. Lines that are not JSON, or that `parse` refuses, become
 * problems and the others survive; blank lines are passed over. A last line without newline that is not JSON
 * is the trace of an interrupted writer and its problem says so.
 * @param parse turns one line's value into a row; what it throws becomes the problem's reason
 * @param parseJson turns one line into its value
 * @throws SepError `missing-input` if there is no such file; `not-text` if it is UTF-16, compressed or otherwise binary
 */
export async function readJsonl<T>(
  path: string,
  {
    parse,
    parseJson = JSON.parse,
  }: {
    readonly parse: (value: unknown, line: number) => T;
    readonly parseJson?: (text: string) => unknown;
  },
): Promise<JsonlContent<T>> {
  const rows: T[] = [];
  const problems: LineProblem[] = [];
  let line = 0;
  for await (const { bytes, ended } of readLines(path)) {
    line += 1;
    const { text, isUtf8 } = decodeLine(line === 1 ? withoutByteOrderMark(bytes) : bytes);
    if (text.trim() === "") continue;
    const reject = (reason: string): void => void problems.push({ line, reason, excerpt: excerptOf(text) });
    let value: unknown;
    try {
      value = parseJson(text);
    } catch (error) {
      const reason = isUtf8 ? `not JSON: ${messageOf(error)}` : NOT_UTF8;
      reject(ended ? reason : "partial last line: the writer was interrupted");
      continue;
    }
    if (!isUtf8) {
      reject(NOT_UTF8);
      continue;
    }
    try {
      rows.push(parse(value, line));
    } catch (error) {
      reject(messageOf(error));
    }
  }
  return { rows, problems };
}

/**
 * Writes a whole JSONL file, all or nothing.
 * @throws SepError `not-json`, see `stringifyRow`
 */
export async function writeJsonl(path: string, rows: Iterable<unknown>): Promise<void> {
  const lines: Buffer[] = []; // one string of all lines could exceed the longest string there can be
  for (const row of rows) lines.push(Buffer.from(`${stringifyRow(row)}\n`));
  await writeAtomic(path, Buffer.concat(lines));
}

/** `problems` as lines for people, at most `limit` of them and a count of the others. */
export function describeProblems(problems: readonly LineProblem[], limit = 5): string {
  const shown = problems.slice(0, limit).map(({ line, reason }) => `line ${line}: ${reason}`);
  const rest = problems.length - shown.length;
  return [...shown, ...(rest > 0 ? [`and ${rest} more`] : [])].join("; ");
}

/**
 * The lines of a file as they are, without their newlines. Splits at the byte 0x0A only: other Unicode line ends may stand
 * inside JSON strings.
 * @throws SepError `missing-input` if there is no such file; `not-text` if it begins as no file of UTF-8 does
 */
export async function* readLines(
  path: string,
): AsyncGenerator<{ readonly bytes: Buffer; readonly ended: boolean }> {
  let held: Buffer[] = [];
  let isFirst = true;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: READ_SIZE })) {
      const bytes = chunk as Buffer;
      if (isFirst) requireText(path, bytes);
      isFirst = false;
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        yield { bytes: Buffer.concat([...held, bytes.subarray(start, end)]), ended: true };
        held = [];
        start = end + 1;
      }
      if (start < bytes.length) held.push(bytes.subarray(start));
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") throw cause;
    throw new SepError("missing-input", `${path} does not exist.`, { cause });
  }
  if (held.length > 0) yield { bytes: Buffer.concat(held), ended: false };
}

const NOT_UTF8 = "not UTF-8: save the file as UTF-8";
const NEWLINE = 0x0a;
const READ_SIZE = 1 << 20;
const EXCERPT_LENGTH = 80;

const withoutByteOrderMark = (bytes: Buffer): Buffer =>
  bytes.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf])) ? bytes.subarray(3) : bytes;

/** Bytes that are not UTF-8 become U+FFFD in the text. */
function decodeLine(bytes: Buffer): { readonly text: string; readonly isUtf8: boolean } {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), isUtf8: true };
  } catch {
    return { text: bytes.toString("utf8"), isUtf8: false };
  }
}

const excerptOf = (text: string): string =>
  text.length > EXCERPT_LENGTH ? `${text.slice(0, EXCERPT_LENGTH)}…` : text;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
