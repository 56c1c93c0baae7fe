import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { SepError } from "../../errors.ts";
import { parsePythonJson } from "../../formats/json.ts";
import { errnoOf, explainFileError } from "../../store/file-error.ts";
import { requireText } from "../../store/jsonl.ts";
import { listShortly, shorten, showShortly } from "../../text/shorten.ts";
import type { ReadRuns } from "./imported-samples.ts";
import {
  detectLineFormat,
  detectValueFormat,
  RUNS_FORMATS,
  type RunsFormat,
  readJsonRuns,
  readRunLines,
  type ValueFormat,
} from "./runs-formats.ts";

/** Samples of another tool, or of another study. */
export interface ImportedRuns extends ReadRuns {
  readonly format: RunsFormat;
}

/**
 * Reads samples of any tool; the file's content tells which tool wrote it. docs/import.md has the formats.
 * @throws SepError `missing-input`, `not-text`; `unknown-runs-format` if no format fits, or nothing in the file can be used
 */
export async function importRuns(path: string): Promise<ImportedRuns> {
  const head = await readHead(path);
  refusePickle(path, head.beginning);
  requireText(path, head.beginning);
  const lineFormat = detectLineFormat(head.lines);
  if (lineFormat !== null) return refuseNothing(path, lineFormat, await readRunLines(path, lineFormat));
  const value = await readValue(path);
  const format = detectValueFormat(value);
  if (format === null) throw unknown(path, `contains ${describe(value)}, which is not a known format`);
  return refuseNothing(path, format, readOrExplain(path, value, format));
}

/** `torch.save` writes a zip archive, `pickle.dump` a protocol mark. */
function refusePickle(path: string, beginning: Uint8Array): void {
  const isPickle = beginning[0] === 0x80;
  const isZip = beginning[0] === 0x50 && beginning[1] === 0x4b;
  if (!isPickle && !isZip) return;
  const load = isPickle
    ? "pickle.load(open(sys.argv[1], 'rb'))"
    : "{'stats': torch.load(sys.argv[1], weights_only=False)['stats']}";
  throw new SepError(
    "unknown-runs-format",
    `${path} is a Python pickle, which only Python can read. Convert it to JSON: python -c "import json, pickle, sys, torch; json.dump(${load}, open(sys.argv[2], 'w'), default=lambda o: o.tolist())" ${path} runs.json`,
  );
}

async function readValue(path: string): Promise<unknown> {
  try {
    return parsePythonJson(await readFile(path, "utf8"));
  } catch (cause) {
    if (cause instanceof SyntaxError)
      throw unknown(path, `is neither JSON nor JSON lines (${cause.message})`, cause);
    if ((cause as NodeJS.ErrnoException).code === "ERR_STRING_TOO_LONG")
      throw unknown(
        path,
        "is a single JSON value of more than half a gigabyte, which is too long to parse. Write one question per line instead",
        cause,
      );
    throw cause;
  }
}

function readOrExplain(path: string, value: unknown, format: ValueFormat): ReadRuns {
  try {
    return readJsonRuns(value, format);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw unknown(path, `looks like ${RUNS_FORMATS[format]}, and ${cause.message}`, cause);
  }
}

function refuseNothing(path: string, format: RunsFormat, read: ReadRuns): ImportedRuns {
  if (read.questions.length > 0) return { format, ...read };
  const reasons = read.problems.slice(0, 3).map(({ line, reason }) => `${line}: ${shorten(reason)}`);
  throw unknown(
    path,
    `looks like ${RUNS_FORMATS[format]}, but nothing in it can be used: ${reasons.join("; ")}`,
  );
}

const unknown = (path: string, what: string, cause?: unknown): SepError =>
  new SepError(
    "unknown-runs-format",
    `${path} ${what}. docs/import.md lists the formats; the simplest is one {"question": …, "answers": […]} per line.`,
    { cause },
  );

function describe(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value !== "object" || value === null) return showShortly(value);
  return `an object with ${listShortly(Object.keys(value)) || "no keys"}`;
}

/** The beginning of a file. */
interface FileHead {
  /** Whole lines that are not blank, at least one if the file has any; a last one without newline counts. */
  readonly lines: readonly string[];
  /** The first bytes, those of the first line and maybe more. */
  readonly beginning: Uint8Array;
}

/**
 * Reads a file's first lines, and of a longer first line its first 64 MiB.
 * @throws SepError `missing-input`
 */
async function readHead(path: string): Promise<FileHead> {
  const chunks: Buffer[] = [];
  let ended = true;
  try {
    for await (const chunk of createReadStream(path, { end: MOST_HEAD_BYTES })) {
      chunks.push(chunk as Buffer);
      if (!(chunk as Buffer).includes(NEWLINE)) continue;
      ended = false;
      break;
    }
  } catch (cause) {
    if (errnoOf(cause) !== "ENOENT") throw explainFileError(cause, path);
    throw new SepError("missing-input", `${path} does not exist.`, { cause });
  }
  const bytes = Buffer.concat(chunks);
  const whole = ended ? bytes : bytes.subarray(0, bytes.lastIndexOf(NEWLINE));
  const lines = whole
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .split("\n")
    .filter((line) => line.trim() !== "");
  return { lines, beginning: bytes };
}

const NEWLINE = 0x0a;
/** As long as the longest line that is read; a file whose first line is longer is not a file of lines. */
const MOST_HEAD_BYTES = 1 << 26;
