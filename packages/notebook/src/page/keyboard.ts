import type { CellView } from "./cell-contract.ts";
import type { NotebookEdits } from "./notebook-edits.ts";

/** What the keys do outside of editors and inputs. */
interface KeyboardActions {
  go(direction: -1 | 1): void;
  edit(): void;
  add(where: "above" | "below", kind: "ts" | "markdown"): void;
  move(direction: -1 | 1): void;
  fold(): void;
  disable(): void;
  remove(): void;
  run(moves: boolean): void;
  runStale(): void;
  interrupt(): void;
  save(): void;
  toggleGraph(): void;
  help(): void;
}

/** Listens to the keys of the whole page. */
export function listenToKeys(actions: KeyboardActions): void {
  let lastD = Number.NEGATIVE_INFINITY;
  const keys: Readonly<Record<string, () => void>> = {
    ArrowUp: () => actions.go(-1),
    ArrowDown: () => actions.go(1),
    k: () => actions.go(-1),
    j: () => actions.go(1),
    Enter: actions.edit,
    a: () => actions.add("above", "ts"),
    b: () => actions.add("below", "ts"),
    m: () => actions.add("below", "markdown"),
    o: actions.fold,
    x: actions.disable,
    r: actions.runStale,
    g: actions.toggleGraph,
    Escape: actions.interrupt,
    "?": actions.help,
  };
  document.addEventListener("keydown", (event) => {
    if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      return actions.save();
    }
    if (event.defaultPrevented || isTyping(event)) return;
    if (event.key === "Enter" && (event.shiftKey || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      return actions.run(event.shiftKey);
    }
    if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      return actions.move(event.key === "ArrowUp" ? -1 : 1);
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "d") {
      const isSecond = event.timeStamp - lastD < DOUBLE_MS;
      lastD = isSecond ? Number.NEGATIVE_INFINITY : event.timeStamp;
      if (isSecond) actions.remove();
      return;
    }
    const act = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
    if (act === undefined) return;
    event.preventDefault();
    act();
  });
}

/** Whether the keys belong to what has the focus. */
function isTyping(event: KeyboardEvent): boolean {
  // inside markup, which has a shadow root, the event's own target is only the root's host
  const [target] = event.composedPath();
  return (
    target instanceof Element &&
    target.closest(
      "input, select, textarea, button, summary, a, dialog, [contenteditable=true], [role=link]",
    ) !== null
  );
}

const DOUBLE_MS = 600;

/** What the keys work on. */
interface KeyTargets {
  readonly cells: ReadonlyMap<number, CellView>;
  readonly edits: NotebookEdits;
  isApp(): boolean;
  order(): readonly number[];
  /** The cell that the keys are about; null until one is selected. */
  selected(): number | null;
  focus(id: number): void;
  runStale(): void;
  interrupt(): void;
  toggleGraph(): void;
  help(): void;
}

/** What each key does. In an app, only the keys that move between cells work. */
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
