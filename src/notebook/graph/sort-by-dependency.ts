import type { GraphCell } from "./cell-graph.ts";

/** Above before below; among equals in the order of the notebook. Cells on a circle come last. */
export function sortByDependency<Cell extends Pick<GraphCell, "id" | "upstream">>(
  cells: readonly Cell[],
): Cell[] {
  const sorted: Cell[] = [];
  const placed = new Set<number>();
  const known = new Set(cells.map(({ id }) => id));
  let rest = [...cells];
  while (rest.length > 0) {
    const next =
      rest.find(({ upstream }) => upstream.every((id) => placed.has(id) || !known.has(id))) ?? rest[0]!;
    sorted.push(next);
    placed.add(next.id);
    rest = rest.filter((cell) => cell !== next);
  }
  return sorted;
}
