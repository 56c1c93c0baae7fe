import { readIfThere } from "../../store/read-file.ts";
import { writeStored } from "../storage-folder.ts";
import type { Draft } from "../wire.ts";

/** Text that was typed and not saved, kept on disk so that it outlives the page and the server. */
export interface DraftJournal {
  get(id: number): Draft | null;
  set(id: number, draft: Draft | null): Promise<void>;
}

/** A journal that cannot be read is put aside in memory only: it is overwritten by the next draft. */
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
