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
