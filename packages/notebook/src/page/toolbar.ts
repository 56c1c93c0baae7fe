import type { CellState, KernelState } from "../wire.ts";
import { element, icon } from "./element.ts";

/** What the bar on top can do. */
interface ToolbarActions {
  runAll(): void;
  runStale(): void;
  interrupt(): void;
  restart(): void;
  setLazy(isLazy: boolean): void;
  toggleGraph(): void;
  help(): void;
  save(): void;
}

interface ToolbarFacts {
  readonly title: string;
  readonly path: string;
  readonly isUp: boolean;
  readonly kernel: KernelState;
  readonly dirty: number;
  readonly states: readonly { readonly id: number; readonly state: CellState }[];
}

/** The bar on top: what the notebook is, its state, and what can be done with all of it. */
export function createToolbar(actions: ToolbarActions): {
  readonly node: HTMLElement;
  show(facts: ToolbarFacts): void;
} {
  const title = element("span", { class: "bar-title" });
  const path = element("span", { class: "bar-path" });
  const pill = element("span", { class: "pill", role: "status" });
  const unsaved = element("button", {
    type: "button",
    class: "quiet-button unsaved",
    title: "Save (Ctrl-S)",
    onclick: actions.save,
  });
  const run = element("button", { type: "button", class: "primary" });
  const all = element(
    "button",
    { type: "button", title: "Run every cell again", onclick: actions.runAll },
    "Run all",
  );
  const stop = element(
    "button",
    { type: "button", class: "stop", title: "Interrupt (Esc)", onclick: actions.interrupt },
    "Stop",
  );
  const lazy = element("input", { type: "checkbox", role: "switch" });
  lazy.onchange = () => actions.setLazy(!lazy.checked);
  const small = (label: string, glyph: string, act: () => void): HTMLElement =>
    element(
      "button",
      { type: "button", class: "quiet-button", "aria-label": label, title: label, onclick: act },
      icon(glyph),
    );
  const node = element(
    "header",
    { class: "bar" },
    element("div", { class: "bar-names" }, title, path),
    element(
      "div",
      { class: "bar-tools" },
      unsaved,
      pill,
      element(
        "label",
        {
          class: "switch",
          title: "Run cells that depend on a change at once; otherwise only mark them as stale",
        },
        lazy,
        "Auto-run",
      ),
      all,
      run,
      stop,
      small(
        "Dependency graph (g)",
        "M3.5 5a1.5 1.5 0 100-3 1.5 1.5 0 000 3zM3.5 14a1.5 1.5 0 100-3 1.5 1.5 0 000 3zM12.5 9.5a1.5 1.5 0 100-3 1.5 1.5 0 000 3zM5 3.8c3 .4 4 2 6 3.4M5 12.2c3-.4 4-2 6-3.4",
        actions.toggleGraph,
      ),
      small("Restart the kernel", "M13 8a5 5 0 11-1.5-3.5M13 2v3h-3", actions.restart),
      small(
        "Keyboard (?)",
        "M6 6a2 2 0 113 1.7c-.7.4-1 .8-1 1.6M8 12h.01M8 1.8a6.2 6.2 0 110 12.4A6.2 6.2 0 018 1.8z",
        actions.help,
      ),
    ),
  );
  return {
    node,
    show({ title: name, path: file, isUp, kernel, dirty, states }) {
      title.textContent = name;
      path.textContent = file.split("/").slice(-2).join("/");
      path.title = file;
      const count = (...wanted: readonly CellState["status"][]): number =>
        states.filter(({ state }) => wanted.includes(state.status)).length;
      const running = states.find(({ state }) => state.status === "running");
      const isBusy = running !== undefined || count("queued") > 0;
      const [tone, words] = !isUp
        ? ["down", "Reconnecting…"]
        : kernel.status === "dead"
          ? ["down", "Kernel ended"]
          : kernel.status === "starting"
            ? ["busy", "Starting"]
            : running !== undefined
              ? ["busy", `Running cell ${running.id}`]
              : count("error") > 0
                ? ["bad", `${count("error")} failed`]
                : ["ready", "Ready"];
      pill.className = `pill ${tone}`;
      pill.textContent = words;
      unsaved.hidden = dirty === 0;
      unsaved.textContent = `${dirty} unsaved`;
      lazy.checked = !kernel.isLazy;
      const fresh = count("idle");
      const stale = count("stale", "interrupted") + fresh;
      stop.hidden = !isBusy;
      const neverRan = fresh > 0 && fresh === states.length;
      run.hidden = isBusy || stale === 0;
      run.textContent = neverRan ? "Run notebook" : `Run stale (${stale})`;
      run.onclick = actions.runStale;
      all.hidden = isBusy || neverRan;
    },
  };
}
