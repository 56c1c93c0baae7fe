/** What the keys do outside of editors and inputs. */
export interface KeyboardActions {
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
