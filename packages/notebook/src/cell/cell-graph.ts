import { BUILTIN_NAMES, type CellAnalysis, type CellProblem } from "./cell-code.ts";

/** A cell with the analysis of its source. */
export interface AnalyzedCell {
  readonly id: number;
  readonly analysis: CellAnalysis;
}

/** A cell in the dependency graph. */
export interface GraphCell {
  readonly id: number;
  readonly defines: readonly string[];
  /** What it reads that other cells define. */
  readonly inputs: readonly string[];
  /** The cells that define those, each once. */
  readonly upstream: readonly number[];
  /** What it reads that no cell and no built-in has: globals, or mistakes. */
  readonly unbound: readonly string[];
  /** Its own problem, or that a name of it is defined twice, or that it is part of a circle. */
  readonly problem: CellProblem | null;
}

/**
 * Which cell reads what from which. A name has one definition: cells that share one all have a problem, and so
 * have cells whose dependencies form a circle.
 * @returns in the order of the notebook
 */
export function buildGraph(cells: readonly AnalyzedCell[]): GraphCell[] {
  const definers = new Map<string, number[]>();
  for (const { id, analysis } of cells)
    for (const name of analysis.defines) definers.set(name, [...(definers.get(name) ?? []), id]);
  const graph = cells.map(({ id, analysis }) => {
    const inputs = analysis.reads.filter((name) => definers.has(name));
    const known = new Set<string>([...inputs, ...BUILTIN_NAMES]);
    return {
      id,
      defines: analysis.defines,
      inputs,
      upstream: [...new Set(inputs.flatMap((name) => definers.get(name) ?? []))],
      unbound: analysis.reads.filter((name) => !known.has(name)),
      problem: analysis.problem ?? checkDuplicates(id, analysis.defines, definers),
    };
  });
  const circles = findCircles(graph);
  return graph.map((cell) => {
    const circle = circles.get(cell.id);
    return circle === undefined || cell.problem !== null
      ? cell
      : { ...cell, problem: describeCircle(circle) };
  });
}

function checkDuplicates(
  id: number,
  defines: readonly string[],
  definers: ReadonlyMap<string, readonly number[]>,
): CellProblem | null {
  for (const name of defines) {
    const others = (definers.get(name) ?? []).filter((other) => other !== id);
    if (others.length > 0) {
      return {
        message: `${name} is also defined in cell ${others.join(", ")}, expected one definition. Rename one, or put it into a block: { … }.`,
        line: null,
        column: null,
      };
    }
  }
  return null;
}

const describeCircle = (ids: readonly number[]): CellProblem => ({
  message: `Cells ${ids.join(" → ")} → ${ids[0]} depend on each other, so none can run first. Move what they share into another cell.`,
  line: null,
  column: null,
});

/** For each cell on a circle, that circle. */
function findCircles(graph: readonly Pick<GraphCell, "id" | "upstream">[]): Map<number, readonly number[]> {
  const upstreamOf = new Map(graph.map(({ id, upstream }) => [id, upstream]));
  const circles = new Map<number, readonly number[]>();
  const finished = new Set<number>();
  const walk = (id: number, path: readonly number[]): void => {
    const at = path.indexOf(id);
    if (at !== -1) {
      const circle = path.slice(at).reverse();
      for (const member of circle) if (!circles.has(member)) circles.set(member, circle);
      return;
    }
    if (finished.has(id)) return;
    for (const next of upstreamOf.get(id) ?? []) walk(next, [...path, id]);
    finished.add(id);
  };
  for (const { id } of graph) walk(id, []);
  return circles;
}

/** The cells that depend on any of `ids`, at any distance, without `ids` themselves unless they do. */
export function descendantsOf(
  graph: readonly Pick<GraphCell, "id" | "upstream">[],
  ids: Iterable<number>,
): Set<number> {
  const found = new Set<number>();
  let border = new Set(ids);
  while (border.size > 0) {
    const next = new Set<number>();
    for (const { id, upstream } of graph)
      if (!found.has(id) && upstream.some((source) => border.has(source))) next.add(id);
    for (const id of next) found.add(id);
    border = next;
  }
  return found;
}

/** Topological order; otherwise the order of the notebook. Cells on a circle come last. */
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
