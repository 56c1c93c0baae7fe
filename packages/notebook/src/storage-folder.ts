import { chmod, lstat, mkdir, readdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { deserialize, serialize } from "node:v8";
import {
  fingerprint,
  type Json,
  readIfThere,
  SepError,
  stableStringify,
  writeAtomic,
} from "semantic-entropy-probes/files";
import type { CellState, Draft, Output } from "./wire.ts";

/** The folder beside a notebook for what belongs to it and is not part of it: cache, drafts, results. */
export const storageFolderOf = (notebook: string): string => join(dirname(notebook), ".sep-notebook");

/**
 * Makes a notebook's storage folder, if it exists, and all that is in it accessible to its owner only.
 * Drafts, results and cached values can hold whatever the notebook reads.
 * @throws SepError `unsafe-folder` if it is a link, or of another user, who could read and change what is kept there
 */
export async function secureStorage(notebook: string): Promise<string> {
  const folder = storageFolderOf(notebook);
  const facts = await lstat(folder).catch(nothingThere);
  if (facts === null) return folder;
  const user = process.getuid?.() ?? facts.uid;
  if (!facts.isDirectory() || (facts.uid !== user && user !== ROOT)) {
    const what = facts.isDirectory()
      ? `belongs to user ${facts.uid}, not to you (${user})`
      : "is not a folder";
    throw new SepError(
      "unsafe-folder",
      `${folder} ${what}, so that others could read and change this notebook's drafts and results. Remove it, or copy the notebook to a folder of your own.`,
    );
  }
  await restrict(folder, OWNER_FOLDER);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) await restrict(path, OWNER_FOLDER);
    else if (entry.isFile()) await restrict(path, OWNER_FILE);
  }
  return folder;
}

/** Writes a file below a storage folder, readable for its owner only, whatever the umask is. */
export async function writeStored(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: OWNER_FOLDER });
  await writeAtomic(path, content, { mode: OWNER_FILE });
}

async function restrict(path: string, mode: number): Promise<void> {
  if (((await lstat(path)).mode & PERMISSIONS) === mode) return;
  try {
    await chmod(path, mode);
  } catch (error) {
    // read-only media, and file systems without rights, such as FAT
    if (!["EROFS", "EPERM", "ENOTSUP"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

const ROOT = 0;
const PERMISSIONS = 0o777;
const OWNER_FOLDER = 0o700;
const OWNER_FILE = 0o600;

/**
 * A result that outlives the kernel: kept on disk under its name, and used again as long as the code that makes
 * it and `deps` are the same. Anything that can be cloned between threads can be kept.
 * @param codeVersion of the cell and of everything above it
 */
export async function cacheOnDisk<Result>(
  folder: string,
  codeVersion: string,
  name: string,
  deps: unknown,
  make: () => Promise<Result> | Result,
): Promise<Result> {
  const key = fingerprint(`${JSON.stringify([codeVersion, name])}${stableStringify(deps as Json)}`);
  const path = join(folder, `${name.replace(/[^\w-]+/g, "_").slice(0, 60)}-${key.slice(0, 24)}.bin`);
  const kept = await readFile(path).catch(nothingThere);
  if (kept !== null) return deserialize(kept) as Result;
  const result = await make();
  await writeStored(path, serialize(result));
  return result;
}

function nothingThere(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}

/** Text that was typed and not saved, kept on disk so that it outlives the page and the server. */
interface DraftJournal {
  get(id: number): Draft | null;
  set(id: number, draft: Draft | null): Promise<void>;
}

/** A journal that cannot be parsed counts as empty; the next draft overwrites it. */
export async function openDraftJournal(path: string): Promise<DraftJournal> {
  const drafts = new Map<number, Draft>(readDrafts(await readIfThere(path)));
  let last: Promise<void> = Promise.resolve();
  return {
    get: (id) => drafts.get(id) ?? null,
    async set(id, draft) {
      if (draft === null && !drafts.has(id)) return;
      if (draft === null) drafts.delete(id);
      else drafts.set(id, draft);
      const text = JSON.stringify([...drafts]);
      last = last.catch(() => undefined).then(() => writeStored(path, text));
      await last;
    },
  };
}

function readDrafts(text: string | null): [number, Draft][] {
  if (text === null) return [];
  try {
    const rows = JSON.parse(text) as unknown;
    return Array.isArray(rows) ? (rows as [number, Draft][]) : [];
  } catch {
    // a torn journal is worth less than a notebook that opens
    return [];
  }
}

/** What a notebook last showed, kept beside it for exports. */
export interface NotebookResults {
  readonly cells: readonly CellResult[];
}

/** What one cell last showed. */
export interface CellResult {
  readonly id: number;
  /** Of the source that made it. */
  readonly revision: string;
  readonly status: CellState["status"];
  readonly error: string | null;
  readonly outputs: readonly Output[];
}

const resultsPath = (notebook: string): string =>
  join(storageFolderOf(notebook), `${basename(notebook)}.results.json`);

export async function writeResults(notebook: string, results: NotebookResults): Promise<void> {
  await writeStored(resultsPath(notebook), JSON.stringify(results));
}

/** Outputs hold pictures; a string can have no more. */
const MOST_RESULT_BYTES = 2 ** 29 - 24;

/** @throws SepError `no-results` if the notebook never ran */
export async function readResults(notebook: string): Promise<NotebookResults> {
  const text = await readIfThere(resultsPath(notebook), { mostBytes: MOST_RESULT_BYTES });
  if (text === null) {
    throw new SepError(
      "no-results",
      `${notebook} has no results yet: it has never run here. Add --run, or run it first with \`sep edit\` or \`sep notebook run\`.`,
    );
  }
  return JSON.parse(text) as NotebookResults;
}
