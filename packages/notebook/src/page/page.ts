import type { KernelState, ServerEvent } from "../wire.ts";
import { createCellList } from "./cell-list.ts";
import { element } from "./element.ts";
import { createGraphPanel } from "./graph-panel.ts";
import { bindKeys, listenToKeys } from "./keyboard.ts";
import { createNotebookEdits } from "./notebook-edits.ts";
import { createHelp, createToasts } from "./overlays.ts";
import { connect, createControlSender, createDraftKeeper, type DraftKeeper } from "./server-connection.ts";
import { createToolbar } from "./toolbar.ts";

const app = document.querySelector("#app") as HTMLElement;
const toasts = createToasts();
const help = createHelp();
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
const sendControl = createControlSender((key, value) =>
  server.post("/api/control", { key, value, origin: server.origin }).catch(refuse),
);
const list = createCellList({
  isApp: () => isApp,
  drafts: () => drafts,
  edits: () => edits,
  setControl: sendControl,
  refresh: () => refresh(),
});
const { cells, order, focus } = list;
const edits = createNotebookEdits({
  server,
  cells,
  order,
  drafts: () => drafts,
  toasts,
  refresh: () => refresh(),
  focus,
});
const graph = createGraphPanel(list.goTo);
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
      list.take(event.cells, new Map(event.states));
      for (const [id, outputs] of event.outputs) cells.get(id)?.replaceOutputs(0, outputs);
      for (const [id, state] of event.states) cells.get(id)?.takeState(state);
      break;
    case "cells":
      title = event.title;
      list.take(event.cells, new Map());
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
    ...(isApp ? [list.node] : [toolbar.node, element("div", { class: "desk" }, list.node, graph.node)]),
    toasts.node,
    help,
  );
  document.body.classList.add(isApp ? "app-mode" : "edit-mode");
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
/** Redraws the bar and the graph, at most once per frame. */
function refresh(): void {
  if (isRefreshDue) return;
  isRefreshDue = true;
  requestAnimationFrame(() => {
    isRefreshDue = false;
    document.title = title || "Notebook";
    if (isApp) return;
    const shown = order().flatMap((id) => cells.get(id) ?? []);
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

listenToKeys(
  bindKeys({
    isApp: () => isApp,
    order,
    selected: list.selected,
    cells,
    edits,
    focus,
    runStale: () => void runStale(),
    interrupt: () => void post("/api/interrupt", {}),
    toggleGraph,
    help: () => help.showModal(),
  }),
);
