import { BUILTIN_NAMES } from "../cell/cell-code.ts";
import { FRESH_STATE } from "../fresh-state.ts";
import type { CellSource, CellState, KernelState, ServerEvent } from "../wire.ts";
import type { CellView } from "./cell-contract.ts";
import { createCellView } from "./cell-view.ts";
import { createControlSender } from "./control-sender.ts";
import { createDraftKeeper, type DraftKeeper } from "./draft-keeper.ts";
import { element } from "./element.ts";
import { createGraphPanel } from "./graph-panel.ts";
import { createHelp } from "./help-dialog.ts";
import { bindKeys } from "./key-bindings.ts";
import { listenToKeys } from "./keyboard.ts";
import { createNotebookEdits } from "./notebook-edits.ts";
import { connect } from "./server-connection.ts";
import { createToasts } from "./toasts.ts";
import { createToolbar } from "./toolbar.ts";

const app = document.querySelector("#app") as HTMLElement;
const main = element("main", { "aria-label": "Notebook" });
const toasts = createToasts();
const help = createHelp();
const cells = new Map<number, CellView>();
let order: number[] = [];
let selected: number | null = null;
let title = "";
let path = "";
let isApp = false;
let isUp = false;
let kernel: KernelState = { status: "starting", isLazy: false, message: null };
let drafts: DraftKeeper | null = null;

const server = connect(receive, (up) => {
  if (isUp === up) return;
  isUp = up;
  document.body.classList.toggle("offline", !up);
  refresh();
});
const refuse = (error: unknown): void =>
  toasts.show(error instanceof Error ? error.message : String(error), { isBad: true });
const post = (route: string, body: unknown): Promise<unknown> => server.post(route, body).catch(refuse);
const edits = createNotebookEdits({
  server,
  cells,
  order: () => order,
  drafts: () => drafts,
  toasts,
  refresh: () => refresh(),
  focus,
});
const sendControl = createControlSender((key, value) =>
  server.post("/api/control", { key, value, origin: server.origin }).catch(refuse),
);
const graph = createGraphPanel((id) => goTo(id));
const toolbar = createToolbar({
  runAll: () => void edits.saveAll().then(() => post("/api/run", { ids: "all" })),
  runStale: () => void runStale(),
  interrupt: () => void post("/api/interrupt", {}),
  restart: () => void post("/api/restart", {}),
  setLazy: (isLazy) => void post("/api/lazy", { isLazy }),
  toggleGraph,
  help: () => help.showModal(),
  save: () => void edits.saveAll(),
});
const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      cells.get(Number((target as HTMLElement).dataset.id))?.prepare();
    }
  },
  { rootMargin: "800px" },
);

function receive(event: ServerEvent): void {
  switch (event.kind) {
    case "snapshot":
      ({ title, path, kernel } = event);
      isApp = event.mode === "app";
      if (app.firstElementChild?.className === "loading") layOut();
      drafts ??= createDraftKeeper(
        path,
        (id, draft) => void server.post("/api/draft", { id, draft }).catch(() => undefined),
      );
      takeCells(event.cells, new Map(event.states));
      for (const [id, outputs] of event.outputs) cells.get(id)?.replaceOutputs(0, outputs);
      for (const [id, state] of event.states) cells.get(id)?.takeState(state);
      break;
    case "cells":
      title = event.title;
      takeCells(event.cells, new Map());
      break;
    case "state":
      cells.get(event.id)?.takeState(event.state);
      break;
    case "outputs":
      cells.get(event.id)?.replaceOutputs(event.from, event.outputs);
      break;
    case "control":
      if (event.origin !== server.origin || event.value === false)
        for (const cell of cells.values()) cell.showControl(event.key, event.value);
      return;
    case "kernel":
      if (event.kernel.message !== null && event.kernel.message !== kernel.message)
        toasts.show(event.kernel.message, { isBad: true });
      kernel = event.kernel;
      break;
  }
  refresh();
}

function layOut(): void {
  app.replaceChildren(
    ...(isApp ? [main] : [toolbar.node, element("div", { class: "desk" }, main, graph.node)]),
    toasts.node,
    help,
  );
  document.body.classList.add(isApp ? "app-mode" : "edit-mode");
}

function takeCells(sources: readonly CellSource[], states: ReadonlyMap<number, CellState>): void {
  const ids = new Set(sources.map(({ id }) => id));
  for (const [id, cell] of cells) {
    if (ids.has(id) && cell.source.kind === sources.find((each) => each.id === id)?.kind) continue;
    cell.node.remove();
    cells.delete(id);
  }
  for (const source of sources) {
    const known = cells.get(source.id);
    if (known !== undefined) known.takeSource(source);
    else cells.set(source.id, openCell(source, states.get(source.id) ?? FRESH_STATE));
  }
  order = sources.map(({ id }) => id);
  for (const [at, id] of order.entries()) {
    const { node } = cells.get(id) as CellView;
    if (main.children[at] !== node) main.insertBefore(node, main.children[at] ?? null);
  }
  if (order.length === 0 && !isApp) main.replaceChildren(drawEmpty());
  else main.querySelector(".nothing")?.remove();
}

function openCell(source: CellSource, state: CellState): CellView {
  const cell = createCellView(source, state, {
    isApp,
    run: (id, moves) => void edits.run(id, moves),
    save: () => void edits.saveAll(),
    typed,
    select,
    leave: (id) => cells.get(id)?.node.focus({ preventScroll: true }),
    step: (id, direction) => {
      const next = order[order.indexOf(id) + direction];
      if (next === undefined) return;
      if (cells.get(next)?.source.kind === "markdown") focus(next);
      else cells.get(next)?.focusEditor(direction === 1 ? "start" : "end");
    },
    menu: (id, action) => void edits.menu(id, action),
    setControl: sendControl,
    names: (own) => [
      ...new Set([
        ...order.flatMap((id) => (id === own ? [] : (cells.get(id)?.source.defines ?? []))),
        ...BUILTIN_NAMES,
      ]),
    ],
    goTo,
  });
  const draft = drafts?.find(source.id, source.draft) ?? null;
  if (draft !== null && draft.text !== source.source) {
    cell.takeDraft(draft.text, draft.base);
    // the page may have been closed before the server had it
    if (draft !== source.draft) drafts?.keep(source.id, draft);
  }
  if (!isApp) near.observe(cell.node);
  return cell;
}

function typed(id: number): void {
  const cell = cells.get(id) as CellView;
  if (cell.isDirty) drafts?.keep(id, { text: cell.text, base: cell.baseRevision, atMs: Date.now() });
  else drafts?.forget(id);
  refresh();
}

function select(id: number): void {
  if (selected === id) return;
  if (selected !== null) cells.get(selected)?.setSelected(false);
  selected = id;
  cells.get(id)?.setSelected(true);
}

function focus(id: number): void {
  const cell = cells.get(id);
  cell?.node.focus({ preventScroll: true });
  cell?.node.scrollIntoView({ block: "nearest" });
}

function goTo(id: number): void {
  cells.get(id)?.node.scrollIntoView({ block: "center", behavior: "smooth" });
  cells.get(id)?.node.focus({ preventScroll: true });
}

async function runStale(): Promise<void> {
  await edits.saveAll();
  await post("/api/run", { ids: "stale" });
}

function toggleGraph(): void {
  graph.node.hidden = !graph.node.hidden;
  document.body.classList.toggle("with-graph", !graph.node.hidden);
  refresh();
}

let isRefreshDue = false;
/** Draws the bar and the graph again, once a frame at most. */
function refresh(): void {
  if (isRefreshDue) return;
  isRefreshDue = true;
  requestAnimationFrame(() => {
    isRefreshDue = false;
    document.title = title || "Notebook";
    if (isApp) return;
    const shown = order.flatMap((id) => cells.get(id) ?? []);
    const runnable = shown.filter(
      ({ source }) => source.kind === "ts" || source.kind === "js" || source.source.includes("${"),
    );
    toolbar.show({
      title,
      path,
      isUp,
      kernel,
      dirty: shown.filter(({ isDirty }) => isDirty).length,
      states: runnable.map(({ source, state }) => ({ id: source.id, state })),
    });
    graph.show(shown);
  });
}

function drawEmpty(): HTMLElement {
  return element(
    "div",
    { class: "nothing" },
    element(
      "p",
      {},
      "An empty notebook. Cells of code read each other's names, and run again when those change.",
    ),
    element(
      "button",
      { type: "button", class: "primary", onclick: () => void edits.add(null, "ts") },
      "Add code",
    ),
    element("button", { type: "button", onclick: () => void edits.add(null, "markdown") }, "Add text"),
  );
}

listenToKeys(
  bindKeys({
    isApp: () => isApp,
    order: () => order,
    selected: () => selected,
    cells,
    edits,
    focus,
    runStale: () => void runStale(),
    interrupt: () => void post("/api/interrupt", {}),
    toggleGraph,
    help: () => help.showModal(),
  }),
);
