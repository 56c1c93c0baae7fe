import type { ControlValue, Output } from "../wire.ts";
import { type ControlView, createControl } from "./control-view.ts";
import { drawMarkup } from "./draw-markup.ts";
import { element } from "./element.ts";
import { createTable } from "./table-view.ts";

interface Shown {
  readonly output: Output;
  readonly node: HTMLElement;
  readonly control: ControlView | null;
}

/** What a cell shows. */
interface OutputList {
  readonly node: HTMLElement;
  /** Replaces everything from a position on. Outputs that stay the same keep their elements, and so the focus. */
  replace(from: number, outputs: readonly Output[]): void;
  showControl(key: string, value: ControlValue): void;
  readonly isEmpty: boolean;
}

/** @param change gets what the reader does with an input */
export function createOutputList(change: (key: string, value: ControlValue) => void): OutputList {
  const node = element("div", { class: "outputs" });
  let list: Shown[] = [];
  const draw = (output: Output, before: Shown | undefined): Shown => {
    if (before !== undefined && isSame(before.output, output)) {
      if (output.kind === "control") before.control?.show(output.value);
      return { ...before, output };
    }
    if (output.kind !== "control") return { output, node: drawOutput(output), control: null };
    const control = createControl(output.control, output.value, (value) => change(output.key, value));
    return { output, node: control.node, control };
  };
  return {
    node,
    replace(from, outputs) {
      const next = [...list.slice(0, from), ...outputs.map((output, at) => draw(output, list[from + at]))];
      const nodes = next.map((shown) => shown.node);
      if (nodes.length !== node.children.length || nodes.some((each, at) => node.children[at] !== each))
        reconcile(node, nodes);
      list = next;
    },
    showControl(key, value) {
      for (const { output, control } of list)
        if (output.kind === "control" && output.key === key) control?.show(value);
    },
    get isEmpty() {
      return list.length === 0;
    },
  };
}

/** Puts nodes in order without moving those already in place: a moved element loses its focus. */
function reconcile(parent: HTMLElement, nodes: readonly HTMLElement[]): void {
  const keep = new Set<Element>(nodes);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  for (const [at, node] of nodes.entries())
    if (parent.children[at] !== node) parent.insertBefore(node, parent.children[at] ?? null);
}

function isSame(a: Output, b: Output): boolean {
  if (a.kind === "control" && b.kind === "control")
    return a.key === b.key && JSON.stringify(a.control) === JSON.stringify(b.control);
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Draws an output that takes no input. */
function drawOutput(output: Exclude<Output, { kind: "control" }>): HTMLElement {
  switch (output.kind) {
    case "text":
      return element(
        "pre",
        { class: "text" },
        output.text,
        output.isCut === true ? element("span", { class: "quiet" }, "\n… cut here") : null,
      );
    case "log":
      return element("pre", { class: `log ${output.level}` }, output.text);
    case "table":
      return createTable(output).node;
    case "html":
      return drawMarkup(output.html, output.isSvg === true);
  }
}
