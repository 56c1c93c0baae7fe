import type { CellView, MenuAction } from "./cell-contract.ts";
import type { Toasts } from "./overlays.ts";
import { type DraftKeeper, type ServerConnection, ServerRefusal } from "./server-connection.ts";

/** What changing a notebook needs of the page. */
interface EditHost {
  readonly server: ServerConnection;
  readonly cells: ReadonlyMap<number, CellView>;
  readonly toasts: Toasts;
  order(): readonly number[];
  drafts(): DraftKeeper | null;
  refresh(): void;
  focus(id: number): void;
}

/** Changes of the notebook, and runs that save first. */
export interface NotebookEdits {
  run(id: number, moves: boolean): Promise<void>;
  /** Saves all that is typed. Cells with a conflict are left to the reader. */
  saveAll(): Promise<void>;
  add(after: number | null, kind: "ts" | "markdown"): Promise<void>;
  menu(id: number, action: MenuAction): Promise<void>;
}

interface EditAnswer {
  readonly changed: readonly { readonly id: number; readonly revision: string }[];
}

export function createNotebookEdits(host: EditHost): NotebookEdits {
  const { server, cells, toasts } = host;
  async function send(edits: readonly unknown[], run: boolean): Promise<EditAnswer | null> {
    try {
      return (await server.post("/api/edit", { edits, run, origin: server.origin })) as EditAnswer;
    } catch (error) {
      const hint = error instanceof ServerRefusal ? "" : " What you typed is kept.";
      toasts.show(`Not saved: ${error instanceof Error ? error.message : String(error)}${hint}`, {
        isBad: true,
      });
      return null;
    }
  }

  async function save(ids: readonly number[], run: boolean): Promise<boolean> {
    const sent = ids.map((id) => {
      const { text, baseRevision } = cells.get(id) as CellView;
      return { kind: "source", id, source: text, base: baseRevision };
    });
    const answer = await send(sent, run);
    if (answer === null) return false;
    for (const { id, revision } of answer.changed) {
      const text = sent.find((edit) => edit.id === id)?.source;
      if (text === undefined) continue;
      cells.get(id)?.saved(text, revision);
      if (cells.get(id)?.isDirty === false) host.drafts()?.forget(id);
    }
    host.refresh();
    return true;
  }

  const edits: NotebookEdits = {
    async run(id, moves) {
      const cell = cells.get(id) as CellView;
      if (cell.hasConflict) return toasts.show("Decide first which text to keep.", { isBad: true });
      if (moves) {
        const order = host.order();
        const next = order[order.indexOf(id) + 1];
        cell.node.focus({ preventScroll: true });
        if (next !== undefined) host.focus(next);
      }
      if (cell.isDirty) await save([id], true);
      else
        await server
          .post("/api/run", { ids: [id] })
          .catch((error: Error) => toasts.show(error.message, { isBad: true }));
    },
    async saveAll() {
      const ids = host
        .order()
        .filter((id) => cells.get(id)?.isDirty === true && cells.get(id)?.hasConflict === false);
      if (ids.length > 0 && (await save(ids, false))) toasts.show("Saved.");
    },
    async add(after, kind) {
      const answer = await send([{ kind: "add", after, cellKind: kind, source: "" }], false);
      const id = answer?.changed[0]?.id;
      if (id === undefined) return;
      await untilThere(() => cells.has(id));
      host.focus(id);
      cells.get(id)?.focusEditor();
    },
    async menu(id, action) {
      const cell = cells.get(id) as CellView;
      const order = host.order();
      const at = order.indexOf(id);
      const base = cell.source.revision;
      if (action === "fold") return cell.toggleCode();
      if (action === "add-code" || action === "add-text")
        return edits.add(id, action === "add-code" ? "ts" : "markdown");
      if (action === "disable")
        return void (await send([{ kind: "disable", id, disabled: !cell.source.disabled, base }], true));
      if (action === "delete") {
        const neighbour = order[at + 1] ?? order[at - 1];
        const draft = cell.isDirty ? { text: cell.text, base: cell.baseRevision, atMs: Date.now() } : null;
        if ((await send([{ kind: "delete", id, base }], true)) === null) return;
        host.drafts()?.forget(id);
        if (neighbour !== undefined) host.focus(neighbour);
        const undo = (): void => {
          // unsaved text comes back as a draft, not as the cell's source
          if (draft !== null) host.drafts()?.keep(id, draft);
          void send([{ kind: "restore", id }], false);
        };
        return toasts.show("Cell deleted.", { undo });
      }
      const target = action === "up" ? (at < 1 ? undefined : (order[at - 2] ?? null)) : order[at + 1];
      if (target === undefined) return;
      await send([{ kind: "move", id, after: target }], false);
      host.focus(id);
    },
  };
  return edits;
}

/** Waits until the requested change has arrived on the event stream. */
async function untilThere(isThere: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100 && !isThere(); turn += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
}
