import { element } from "./element.ts";

/** Short messages at the lower edge. */
export interface Toasts {
  readonly node: HTMLElement;
  show(text: string, options?: { readonly isBad?: boolean; readonly undo?: () => void }): void;
}

export function createToasts(): Toasts {
  const node = element("div", { class: "toasts", role: "status", "aria-live": "polite" });
  return {
    node,
    show(text, { isBad = false, undo } = {}) {
      const toast = element("div", { class: isBad ? "toast bad" : "toast" }, text);
      if (undo !== undefined) {
        toast.append(
          element(
            "button",
            {
              type: "button",
              onclick: () => {
                toast.remove();
                undo();
              },
            },
            "Undo",
          ),
        );
      }
      node.append(toast);
      setTimeout(() => toast.remove(), isBad || undo !== undefined ? LONG_MS : SHORT_MS);
    },
  };
}

const SHORT_MS = 2_500;
const LONG_MS = 8_000;

const KEYS: readonly (readonly [string, string])[] = [
  ["Shift-Enter", "run the cell and go to the next one"],
  ["Ctrl-Enter", "run the cell and stay"],
  ["Ctrl-S", "save without running"],
  ["Esc", "leave the editor; outside of it: stop what runs"],
  ["↑ ↓  or  k j", "move between cells"],
  ["Enter", "edit the cell"],
  ["a  b", "add a code cell above, below"],
  ["m", "add a text cell below"],
  ["Alt-↑  Alt-↓", "move the cell"],
  ["o", "hide or show its code"],
  ["x", "exclude it from runs, or include it again"],
  ["d d", "delete it"],
  ["r", "run stale cells"],
  ["g", "show the dependency graph"],
  ["?", "this list"],
];

/** The list of keys. */
export function createHelp(): HTMLDialogElement {
  const dialog = element(
    "dialog",
    { class: "help", "aria-label": "Keyboard" },
    element("h2", {}, "Keyboard"),
    element(
      "table",
      {},
      element(
        "tbody",
        {},
        ...KEYS.map(([keys, meaning]) =>
          element(
            "tr",
            {},
            element(
              "th",
              { scope: "row" },
              ...keys
                .split(/(\s+or\s+|\s+)/)
                .map((part) =>
                  part.trim() === "" || part.trim() === "or" ? part : element("kbd", {}, part),
                ),
            ),
            element("td", {}, meaning),
          ),
        ),
      ),
    ),
    element("form", { method: "dialog" }, element("button", {}, "Close")),
  );
  dialog.onclick = (event) => {
    if (event.target === dialog) dialog.close();
  };
  return dialog;
}
