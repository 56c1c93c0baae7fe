import type { CellSource, CellState } from "../wire.ts";
import { element, svgElement } from "./element.ts";

const ROW = 30;
const LEFT = 92;

/** The dependency graph: one row per cell, with an arc from each cell to those that read it. */
export function createGraphPanel(goTo: (id: number) => void): {
  readonly node: HTMLElement;
  show(cells: readonly { readonly source: CellSource; readonly state: CellState }[]): void;
} {
  const body = element("div", { class: "graph-body" });
  const node = element(
    "aside",
    { class: "graph", "aria-label": "Dependency graph", hidden: true },
    element("h2", {}, "Dependency graph"),
    body,
  );
  return {
    node,
    show(cells) {
      if (node.hidden) return;
      const rows = cells.filter(({ source }) => source.defines.length > 0 || source.upstream.length > 0);
      const rowOf = new Map(rows.map(({ source }, at) => [source.id, at]));
      const svg = svgElement("svg", { width: "100%", height: Math.max(1, rows.length) * ROW + 8 });
      for (const { source } of rows) {
        for (const above of source.upstream) {
          const from = rowOf.get(above);
          const to = rowOf.get(source.id) as number;
          if (from === undefined) continue;
          const [y1, y2] = [from * ROW + ROW / 2, to * ROW + ROW / 2];
          const bend = Math.min(LEFT - 14, 10 + Math.abs(to - from) * 9);
          svg.append(
            svgElement("path", {
              d: `M${LEFT},${y1} C${LEFT - bend},${y1} ${LEFT - bend},${y2} ${LEFT},${y2}`,
              class: "arc",
              "data-from": above,
              "data-to": source.id,
            }),
          );
        }
      }
      for (const [at, { source, state }] of rows.entries()) svg.append(drawRow(at, source, state));
      body.replaceChildren(
        rows.length === 0 ? element("p", { class: "quiet" }, "No cell reads another one yet.") : svg,
      );
    },
  };

  function drawRow(at: number, source: CellSource, state: CellState): SVGElement {
    const y = at * ROW + ROW / 2;
    const label =
      source.defines.length > 0
        ? source.defines.join(", ")
        : (source.source.split("\n").find((line) => line.trim() !== "") ?? "").slice(0, 40);
    const row = svgElement(
      "g",
      {
        class: `node ${state.status}`,
        tabindex: 0,
        role: "link",
        "aria-label": `Cell ${source.id}: ${label}`,
        onclick: () => goTo(source.id),
        onpointerenter: () => light(source.id),
        onpointerleave: () => light(null),
        onkeydown: (event: KeyboardEvent) => event.key === "Enter" && goTo(source.id),
      },
      svgElement("rect", { x: LEFT - 8, y: y - ROW / 2, width: "100%", height: ROW, class: "hit" }),
      svgElement("circle", { cx: LEFT, cy: y, r: 4 }),
      svgElement(
        "text",
        { x: LEFT + 14, y: y + 4, class: source.defines.length > 0 ? "names" : "words" },
        label.length > 34 ? `${label.slice(0, 33)}…` : label,
      ),
    );
    return row;
  }
  function light(id: number | null): void {
    for (const arc of body.querySelectorAll<SVGElement>(".arc"))
      arc.classList.toggle(
        "lit",
        id !== null && (arc.dataset.from === String(id) || arc.dataset.to === String(id)),
      );
  }
}
