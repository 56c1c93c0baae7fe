import { type FileHandle, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type Json, stableStringify } from "../formats/json.ts";
import { openJsonlAppender } from "../store/append-jsonl.ts";
import { makeFolder, withFile } from "../store/file-error.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { readJournalSettings, removeJournal, writeJournalSettings } from "../store/journal.ts";
import { readJsonl } from "../store/jsonl.ts";
import { fileExists, readExactly } from "../store/read-file.ts";
import { writeExactly } from "../store/write-atomic.ts";

// States that were read while answers were sampled wait beside the hidden-states file, whose size is known only when all
// answers are. A state belongs to the tokens up to its own, and to nothing else: what is kept here can neither be given
// to another answer nor become wrong when runs change. What a killed run lost, a trace reads with the model.

/** Files beside a hidden-states file: the rows, and a line for each. */
const rowsPathOf = (output: string): string => `${output}.sampled`;
const logPathOf = (output: string): string => `${output}.sampled.jsonl`;

/** What identifies a state: the tokens up to its own. */
export const stateKey = (tokenIds: readonly number[], index: number): string =>
  fingerprint(new Uint8Array(Uint32Array.from(tokenIds.slice(0, index + 1)).buffer));

/** Where states are kept while answers are sampled. */
export interface SampledStatesWriter extends AsyncDisposable {
  /**
   * Adds states; those that are there already are kept as they are. When it returns, they survive the end of the process.
   * @param states each [layers * D], with its key
   * @throws SepError `disk-full`
   */
  add(states: readonly { readonly key: string; readonly residual: Float32Array }[]): Promise<void>;
}

/**
 * Goes on with what is kept of a trace, or begins anew where that is of another model or of other layers.
 * @param output   the hidden-states file that the trace will write
 * @param settings all that the states depend on beside the tokens
 * @param rowSize  numbers in a row: layers * D
 */
export async function keepSampledStates(
  output: string,
  settings: Json,
  rowSize: number,
): Promise<SampledStatesWriter> {
  const [rowsPath, logPath] = [rowsPathOf(output), logPathOf(output)];
  if (!(await isOf(logPath, settings))) {
    await removeSampledStates(output);
    await writeJournalSettings(logPath, settings);
  }
  await makeFolder(dirname(output));
  const log = await openJsonlAppender(logPath);
  const rows = await readLog(logPath);
  const file = await withFile(rowsPath, async () =>
    open(rowsPath, (await fileExists(rowsPath)) ? "r+" : "w+"),
  );
  let next = [...rows.values()].reduce((most, row) => Math.max(most, row + 1), 0);
  const write = async (states: Parameters<SampledStatesWriter["add"]>[0]): Promise<void> => {
    const lines: { readonly key: string; readonly row: number }[] = [];
    for (const { key, residual } of states) {
      if (rows.has(key)) continue;
      await withFile(rowsPath, () => writeExactly(file, bytesOf(residual), next * rowSize * FLOAT_BYTES));
      rows.set(key, next);
      lines.push({ key, row: next++ });
    }
    await log.append(lines);
  };
  // one after the other, since a state that another call is just writing is not there yet
  let writing: Promise<void> = Promise.resolve();
  return {
    add(states) {
      writing = writing.then(() => write(states));
      return writing;
    },
    async [Symbol.asyncDispose]() {
      try {
        await withFile(rowsPath, () => file.datasync());
      } finally {
        await file.close();
        await log[Symbol.asyncDispose]();
      }
    },
  };
}

/** States that were kept while answers were sampled. */
export interface SampledStates extends AsyncDisposable {
  readonly isEmpty: boolean;
  has(key: string): boolean;
  /** @returns [layers * D] of a state that is there */
  read(key: string): Promise<Float32Array>;
}

/**
 * What is kept for a trace with these settings; nothing where there is none, or it is of others.
 * @param rowSize numbers in a row: layers * D
 */
export async function openSampledStates(
  output: string,
  settings: Json,
  rowSize: number,
): Promise<SampledStates> {
  const [rowsPath, logPath] = [rowsPathOf(output), logPathOf(output)];
  const isThere = (await isOf(logPath, settings)) && (await fileExists(rowsPath));
  if (!isThere)
    return {
      isEmpty: true,
      has: () => false,
      read: refuseToRead,
      [Symbol.asyncDispose]: async () => undefined,
    };
  const file = await withFile(rowsPath, () => open(rowsPath, "r"));
  const { size } = await file.stat();
  const rowBytes = rowSize * FLOAT_BYTES;
  // the log may have outlived the rows where the machine lost its power
  const rows = new Map([...(await readLog(logPath))].filter(([, row]) => (row + 1) * rowBytes <= size));
  return {
    isEmpty: rows.size === 0,
    has: (key) => rows.has(key),
    read: (key) => readRow(file, rows.get(key) as number, rowBytes),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** Removes what was kept, once the trace has it. */
export async function removeSampledStates(output: string): Promise<void> {
  await removeJournal(logPathOf(output));
  await rm(rowsPathOf(output), { force: true });
}

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

async function readRow(file: FileHandle, row: number, rowBytes: number): Promise<Float32Array> {
  const { buffer, byteOffset } = await readExactly(file, row * rowBytes, rowBytes);
  return new Float32Array(buffer, byteOffset, rowBytes / FLOAT_BYTES);
}

const refuseToRead = (): Promise<Float32Array> =>
  Promise.reject(new RangeError("there are no sampled states"));

async function isOf(logPath: string, settings: Json): Promise<boolean> {
  const before = await readJournalSettings(logPath);
  return before !== null && stableStringify(before) === stableStringify(settings);
}

/** @returns rows by their key; a line that a killed writer left unfinished counts as not written */
async function readLog(path: string): Promise<Map<string, number>> {
  if (!(await fileExists(path))) return new Map();
  const { rows } = await readJsonl(path, { parse: parseLine });
  return new Map(rows.map(({ key, row }) => [key, row]));
}

function parseLine(value: unknown): { readonly key: string; readonly row: number } {
  const { key, row } = value as { readonly key?: unknown; readonly row?: unknown };
  if (typeof key !== "string" || !Number.isSafeInteger(row) || (row as number) < 0)
    throw new TypeError("not a line of sampled states");
  return { key, row: row as number };
}
