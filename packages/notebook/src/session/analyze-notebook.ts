import { fingerprint } from "semantic-entropy-probes/files";
import { analyzeCell } from "../cell/analyze-cell.ts";
import { type CellAnalysis, compileCell } from "../cell/cell-code.ts";
import { type AnalyzedCell, buildGraph, type GraphCell } from "../cell/cell-graph.ts";
import { hasExpressions } from "../cell/cell-source.ts";
import type { NotebookCell, NotebookFile } from "../format/notebook-file.ts";
import { cellRevision } from "../format/parse-notebook.ts";
import type { KernelCell } from "../kernel/messages.ts";

/** A notebook with everything that is known without running it. */
export interface AnalyzedNotebook {
  readonly file: NotebookFile;
  readonly cells: readonly AnalyzedNotebookCell[];
}

export interface AnalyzedNotebookCell {
  readonly cell: NotebookCell;
  readonly revision: string;
  readonly graph: GraphCell;
  /** null for text without expressions, which needs no kernel. */
  readonly kernelCell: KernelCell | null;
}

/** Analyses cells, and remembers those whose source did not change. */
type NotebookAnalyzer = (file: NotebookFile) => Promise<AnalyzedNotebook>;

export function createAnalyzer(): NotebookAnalyzer {
  let known = new Map<string, CellAnalysis>();
  /** What each cell defined and read when it last parsed. */
  const lastGood = new Map<number, CellAnalysis>();
  return async (file) => {
    const next = new Map<string, CellAnalysis>();
    const analyzed: AnalyzedCell[] = await Promise.all(
      file.cells.map(async (cell) => {
        const key = JSON.stringify([cell.type, cell.source]);
        const analysis = known.get(key) ?? (await analyzeCell(cell));
        next.set(key, analysis);
        return { id: cell.id, analysis };
      }),
    );
    known = next;
    for (const { id, analysis } of analyzed) if (analysis.problem === null) lastGood.set(id, analysis);
    const graph = buildGraph(keepBrokenNames(analyzed, lastGood));
    const cells = file.cells.map((cell, at) => {
      const own = graph[at] as GraphCell;
      const { analysis } = analyzed[at]!;
      const kernelCell = isStatic(cell) ? null : makeKernelCell(cell, own, analysis, file, graph);
      return { cell, revision: cellRevision(cell), graph: own, kernelCell };
    });
    return { file, cells };
  };
}

/**
 * A cell that does not parse while it is being typed keeps its names, so that its dependents stay connected, except
 * for names that another cell defines meanwhile.
 */
function keepBrokenNames(
  cells: readonly AnalyzedCell[],
  lastGood: ReadonlyMap<number, CellAnalysis>,
): AnalyzedCell[] {
  const taken = new Set(cells.flatMap(({ analysis }) => analysis.defines));
  return cells.map(({ id, analysis }) => {
    const before = lastGood.get(id);
    if (analysis.problem === null || analysis.defines.length > 0 || before === undefined)
      return { id, analysis };
    const defines = before.defines.filter((name) => !taken.has(name));
    return { id, analysis: { ...analysis, defines, reads: before.reads } };
  });
}

/** Text without expressions: nothing that runs changes it. */
export const isStatic = ({ kind, source }: NotebookCell): boolean =>
  (kind === "markdown" || kind === "html") && !hasExpressions(source);

function makeKernelCell(
  cell: NotebookCell,
  graph: GraphCell,
  analysis: CellAnalysis,
  file: NotebookFile,
  all: readonly GraphCell[],
): KernelCell {
  const { id, defines, inputs, upstream, problem } = graph;
  const compiled = problem === null ? compileCell(analysis, inputs) : null;
  const version = hash([compiled?.code ?? null, inputs, cell.disabled, problem?.message ?? null]);
  const above = ancestorsOf(id, all);
  const sources = file.cells.filter((each) => above.has(each.id)).map(({ source }) => source);
  return {
    id,
    defines,
    inputs,
    upstream,
    disabled: cell.disabled,
    problem: problem?.message ?? null,
    version,
    compiled,
    cacheVersion: hash([cell.source, sources]),
    shownProblem: problem === null ? null : { ...problem, stack: null },
  };
}

function ancestorsOf(id: number, graph: readonly GraphCell[]): Set<number> {
  const upstreamOf = new Map(graph.map((cell) => [cell.id, cell.upstream]));
  const found = new Set<number>();
  const pending = [id];
  while (pending.length > 0) {
    for (const above of upstreamOf.get(pending.pop() as number) ?? []) {
      if (found.has(above)) continue;
      found.add(above);
      pending.push(above);
    }
  }
  return found;
}

const hash = (value: unknown): string => fingerprint(JSON.stringify(value)).slice(0, 16);

/** A mistake that was found without running. */
export interface NotebookMistake {
  readonly cell: number;
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
}

/**
 * Finds the mistakes that show without running: syntax errors, names defined twice or nowhere, circular dependencies,
 * unsupported kinds of cells.
 */
export function findMistakes({ cells }: Pick<AnalyzedNotebook, "cells">): NotebookMistake[] {
  return cells.flatMap(({ cell, graph }) => {
    if (cell.disabled) return [];
    if (graph.problem !== null) return [{ cell: cell.id, ...graph.problem }];
    return graph.unbound
      .filter((name) => !(name in globalThis) && !MODULE_NAMES.has(name))
      .map((name) => ({
        cell: cell.id,
        ...placeOfName(cell.source, name),
        message: `${name} is neither defined in a cell nor a global. Define it, or correct its name.`,
      }));
  });
}

/** Names that code may ask for with `typeof` to find out where it runs. */
const MODULE_NAMES: ReadonlySet<string> = new Set([
  "arguments",
  "require",
  "module",
  "exports",
  "window",
  "document",
]);

/** The first place where a name stands as a word of its own. */
function placeOfName(
  source: string,
  name: string,
): { readonly line: number | null; readonly column: number | null } {
  for (const [at, line] of source.split("\n").entries()) {
    const column = line.search(new RegExp(`(?<![\\w$.])${name.replace(/\$/g, "\\$")}(?![\\w$])`));
    if (column !== -1) return { line: at + 1, column: column + 1 };
  }
  return { line: null, column: null };
}
