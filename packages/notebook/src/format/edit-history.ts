import { SepError } from "semantic-entropy-probes/files";
import {
  describeRemoval,
  editNotebook,
  type NotebookEdit,
  nextCellId,
  type RemovedCell,
} from "./edit-notebook.ts";
import type { NotebookFile } from "./notebook-file.ts";
import { cellRevision } from "./parse-notebook.ts";

/** A change that can be undone. A new cell gets an unused number; a deleted one is restored by its own. */
export type HistoricEdit =
  | Exclude<NotebookEdit, { readonly kind: "restore" | "add" }>
  | Omit<Extract<NotebookEdit, { readonly kind: "add" }>, "id">
  | { readonly kind: "restore"; readonly id: number };

/**
 * Changes of one notebook file. Undoing one gives back the very bytes that were there before: indentation, attributes,
 * line ends, and comments between cells.
 */
export interface EditHistory {
  /** @throws SepError `no-such-cell` */
  edit(file: NotebookFile, edit: HistoricEdit): NotebookFile;
  /** Somebody else wrote the file, so its older texts are out of date. Deleted cells are still known. */
  forgetTexts(): void;
}

export function createEditHistory(): EditHistory {
  /** Own edits change cells and nothing else: where all cells are as they were, the older text is the right one. */
  const texts = new Map<string, NotebookFile>();
  const removed = new Map<number, RemovedCell>();
  let nextId = 1;
  const place = (edit: HistoricEdit): NotebookEdit => {
    if (edit.kind === "add") return { ...edit, id: nextId };
    return edit.kind === "restore" ? findRemoved(removed, edit.id) : edit;
  };
  return {
    edit(file, edit) {
      nextId = Math.max(nextId, nextCellId(file));
      keep(texts, signatureOf(file), file);
      if (edit.kind === "delete") keep(removed, edit.id, describeRemoval(file, edit.id));
      const next = editNotebook(file, place(edit));
      if (edit.kind === "restore") removed.delete(edit.id);
      return texts.get(signatureOf(next)) ?? next;
    },
    forgetTexts: () => texts.clear(),
  };
}

function findRemoved(removed: ReadonlyMap<number, RemovedCell>, id: number): NotebookEdit {
  const found = removed.get(id);
  if (found !== undefined) return { kind: "restore", removed: found };
  throw new SepError(
    "no-such-cell",
    `Cell ${id} cannot be restored: it was not deleted in this session, or too many cells were deleted since. Restore it from version control.`,
  );
}

const signatureOf = ({ cells }: NotebookFile): string =>
  JSON.stringify(cells.map((cell) => [cell.id, cellRevision(cell)]));

/** Keeps the newest entries. */
function keep<Key, Value>(kept: Map<Key, Value>, key: Key, value: Value): void {
  if (kept.has(key)) return void kept.set(key, value);
  kept.set(key, value);
  if (kept.size > MAX_KEPT) kept.delete(kept.keys().next().value as Key);
}

/** More than anybody undoes one by one; each is the text of a notebook. */
const MAX_KEPT = 100;
