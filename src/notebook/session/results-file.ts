import { basename, join } from "node:path";
import { SepError } from "../../errors.ts";
import { readIfThere } from "../../store/read-file.ts";
import { storageFolderOf, writeStored } from "../storage-folder.ts";
import type { CellState, Output } from "../wire.ts";

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
      `${notebook} has no results yet: it never ran here. Add --run, or run it first with \`sep edit\` or \`sep notebook run\`.`,
    );
  }
  return JSON.parse(text) as NotebookResults;
}
