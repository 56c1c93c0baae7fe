import { SepError } from "../errors.ts";
import { stringifyRow } from "../formats/json.ts";
import { shorten } from "../text/shorten.ts";
import { errnoOf, explainFileError } from "./file-error.ts";
import { openInputFile } from "./read-file.ts";
import { writeAtomic } from "./write-atomic.ts";

/** A line that could not be used, so that people can find and repair it. */
export interface LineProblem {
  /** From 1. */
  readonly line: number;
  readonly reason: string;
  /** The beginning of the line. */
  readonly excerpt: string;
}

/** The usable rows of a JSONL file in file order, and every line that is not among them. */
interface JsonlContent<T> {
  readonly rows: readonly T[];
  readonly problems: readonly LineProblem[];
}

/**
 * Reads a JSONL file, one line in memory at a time. Lines that are not JSON, or that `parse` refuses, become
 * problems and the others survive; blank lines are skipped. A last line without newline that is not JSON
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
  for await (const { bytes, ended, sizeBytes } of readLines(path)) {
    line += 1;
    if (sizeBytes > bytes.length) {
      const reason = `the line has ${sizeBytes} bytes, at most ${MOST_LINE_BYTES} are read`;
      problems.push({ line, reason, excerpt: shorten(decodeLine(bytes).text) });
      continue;
    }
    const { text, isUtf8 } = decodeLine(line === 1 ? withoutByteOrderMark(bytes) : bytes);
    if (text.trim() === "") continue;
    const reject = (reason: string): void =>
      void problems.push({ line, reason: shorten(reason, MOST_REASON), excerpt: shorten(text) });
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

/** One line of a file. */
interface Line {
  /** Without the newline; only the beginning if the line is longer than can be used. */
  readonly bytes: Buffer;
  /** Of the whole line. */
  readonly sizeBytes: number;
  /** Whether there is a newline behind it. */
  readonly ended: boolean;
}

/**
 * The lines of a file as they are. Splits at the byte 0x0A only: other Unicode line ends may occur inside JSON strings.
 * @throws SepError `missing-input` if there is no such file; `not-text` if it does not begin like a UTF-8 file;
 *   `bad-path` if it is not a regular file
 */
export async function* readLines(path: string): AsyncGenerator<Line> {
  let held: Buffer[] = [];
  let sizeBytes = 0;
  const hold = (bytes: Buffer): void => {
    if (sizeBytes <= MOST_LINE_BYTES) held.push(bytes);
    sizeBytes += bytes.length;
  };
  const take = (ended: boolean): Line => {
    const tooLong = sizeBytes > MOST_LINE_BYTES;
    const line = { bytes: tooLong ? held[0]!.subarray(0, READ_SIZE) : Buffer.concat(held), sizeBytes, ended };
    held = [];
    sizeBytes = 0;
    return line;
  };
  let isFirst = true;
  try {
    const file = await openInputFile(path);
    for await (const chunk of file.createReadStream({ highWaterMark: READ_SIZE })) {
      const bytes = chunk as Buffer;
      if (isFirst) requireText(path, bytes);
      isFirst = false;
      let start = 0;
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
        hold(bytes.subarray(start, end));
        yield take(true);
        start = end + 1;
      }
      if (start < bytes.length) hold(bytes.subarray(start));
    }
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw explainFileError(cause, path);
    throw new SepError("missing-input", `${path} does not exist.`, { cause });
  }
  if (sizeBytes > 0) yield take(false);
}

const NOT_UTF8 = "not UTF-8: save the file as UTF-8";
const READ_SIZE = 1 << 20;
/** A row of an answer of 100,000 tokens takes a tenth of it; the values that JSON makes of a line, up to ten times as much. */
const MOST_LINE_BYTES = 1 << 26;
/** Reasons quote what they are about. */
const MOST_REASON = 300;

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

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Checks how a file begins before it is read as text: a file in another encoding would become thousands of lines that are
 * "not JSON". A byte order mark of UTF-8 is fine.
 * @param beginning a file's first bytes
 * @throws SepError `not-text`
 */
export function requireText(path: string, beginning: Uint8Array): void {
  const signature = SIGNATURES.find(([bytes]) => bytes.every((byte, at) => beginning[at] === byte));
  if (signature !== undefined) throw new SepError("not-text", `${path} ${signature[1]}.`);
  const newline = beginning.indexOf(NEWLINE);
  const line = beginning.subarray(0, Math.min(LOOKED_AT, newline === -1 ? beginning.length : newline));
  const zero = line.indexOf(0);
  if (zero === -1) return;
  // of UTF-16 without a mark, the characters of JSON have a zero byte each
  const halves = [0, 1].map((side) => line.filter((byte, at) => at % 2 === side && byte === 0).length);
  const isUtf16 = Math.max(...halves) > line.length / 4 && Math.min(...halves) === 0;
  const what = isUtf16 ? "is UTF-16. Save it as UTF-8" : `is binary: byte ${zero} is zero. Give a text file`;
  throw new SepError("not-text", `${path} ${what}.`);
}

/** First bytes of files that are mistaken for text, and what to do with these files. */
const SIGNATURES: readonly (readonly [bytes: readonly number[], what: string])[] = [
  [[0xff, 0xfe, 0x00, 0x00], "is UTF-32. Save it as UTF-8"],
  [[0x00, 0x00, 0xfe, 0xff], "is UTF-32. Save it as UTF-8"],
  [[0xff, 0xfe], "is UTF-16. Save it as UTF-8"],
  [[0xfe, 0xff], "is UTF-16. Save it as UTF-8"],
  [[0x1f, 0x8b], "is compressed with gzip. Unpack it first"],
  [[0x28, 0xb5, 0x2f, 0xfd], "is compressed with Zstandard. Unpack it first"],
  [[0x50, 0x4b, 0x03, 0x04], "is a ZIP archive. Unpack it first"],
  [[0x50, 0x41, 0x52, 0x31], "is a Parquet table. Export it as JSONL"],
];
const NEWLINE = 0x0a;
/** A first line may be longer; a binary file is unlikely to have no zero byte among so many. */
const LOOKED_AT = 4096;
