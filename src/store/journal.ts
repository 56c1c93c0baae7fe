import { rm } from "node:fs/promises";
import { SepError } from "../errors.ts";
import { type Json, stableStringify } from "../formats/json.ts";
import { openJsonlAppender } from "./append-jsonl.ts";
import { readJsonl } from "./jsonl.ts";
import { readIfThere } from "./read-file.ts";
import { writeAtomic } from "./write-atomic.ts";

/** Where a step keeps what it has of an output until all of it is there. */
export const partialPathOf = (output: string): string => `${output}.partial`;

/**
 * The settings that an unfinished step's work was made with; they are beside its journal.
 * @returns null if nothing is unfinished
 */
export async function readJournalSettings(journal: string): Promise<Json | null> {
  const path = settingsPathOf(journal);
  const text = await readIfThere(path);
  if (text === null) return null;
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new SepError(
      "bad-artifact",
      `${path} cannot be read: ${(cause as Error).message}. Use --force to start over.`,
      { cause },
    );
  }
}

/** Written before the journal's first row. */
export async function writeJournalSettings(journal: string, settings: Json): Promise<void> {
  await writeAtomic(settingsPathOf(journal), `${stableStringify(settings, 2)}\n`);
}

/**
 * Makes a journal ready to be appended to.
 * @param parse throws TypeError with the reason for a row that is wrong
 * @returns the rows that an interrupted step of the same settings has left; none of other settings, or with `force`
 */
export async function resumeJournal<Row>(
  journal: string,
  settings: Json,
  { force, parse }: { readonly force: boolean; readonly parse: (value: unknown) => Row },
): Promise<readonly Row[]> {
  const before = force ? null : await readJournalSettings(journal);
  if (before === null || stableStringify(before) !== stableStringify(settings)) {
    await removeJournal(journal);
    await writeJournalSettings(journal, settings);
    return [];
  }
  await (await openJsonlAppender(journal))[Symbol.asyncDispose](); // mends its end; makes it if it is not there
  return (await readJsonl(journal, { parse })).rows;
}

/** Removes a journal when its step is complete. */
export async function removeJournal(journal: string): Promise<void> {
  await rm(journal, { force: true });
  await rm(settingsPathOf(journal), { force: true });
}

const settingsPathOf = (journal: string): string => `${journal}.settings.json`;
