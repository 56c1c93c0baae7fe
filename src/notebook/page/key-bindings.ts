import type { CellView } from "./cell-contract.ts";
import type { KeyboardActions } from "./keyboard.ts";
import type { NotebookEdits } from "./notebook-edits.ts";

/** What the keys work on. */
export interface KeyTargets {
  readonly cells: ReadonlyMap<number, CellView>;
  readonly edits: NotebookEdits;
  isApp(): boolean;
  order(): readonly number[];
  /** The cell that the keys are about; null before one was chosen. */
  selected(): number | null;
  focus(id: number): void;
  runStale(): void;
  interrupt(): void;
  toggleGraph(): void;
  help(): void;
}

/** What each key does. In an app only those that go through the cells do anything. */
export function bindKeys(targets: KeyTargets): KeyboardActions {
  const { cells, edits, order, selected, focus } = targets;
  const onSelected = (act: (id: number) => unknown) => (): void => {
    const id = selected();
    if (id !== null && !targets.isApp()) act(id);
  };
  return {
    go(direction) {
      const id = selected();
      const at = id === null ? (direction === 1 ? -1 : order().length) : order().indexOf(id);
      const next = order()[at + direction];
      if (next !== undefined) focus(next);
    },
    edit: onSelected((id) => cells.get(id)?.focusEditor()),
    add(where, kind) {
      if (targets.isApp()) return;
      const id = selected();
      const at = id === null ? order().length - 1 : order().indexOf(id);
      void edits.add(order()[where === "above" ? at - 1 : at] ?? null, kind);
    },
    move: (direction) => onSelected((id) => edits.menu(id, direction === -1 ? "up" : "down"))(),
    fold: onSelected((id) => cells.get(id)?.toggleCode()),
    disable: onSelected((id) => edits.menu(id, "disable")),
    remove: onSelected((id) => edits.menu(id, "delete")),
    run: (moves) => onSelected((id) => edits.run(id, moves))(),
    save: () => void edits.saveAll(),
    runStale: targets.runStale,
    interrupt: targets.interrupt,
    toggleGraph: targets.toggleGraph,
    help: targets.help,
  };
}
