import type { AnalyzedNotebook } from "./analyze-notebook.ts";

/** Something that will not work, found without running. */
export interface NotebookMistake {
  readonly cell: number;
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
}

/**
 * What is wrong with a notebook as far as that can be seen without running it: syntax, names that are defined twice
 * or nowhere, circles, kinds of cells that do not run.
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
        message: `${name} is defined in no cell and is no global. Define it, or correct its name.`,
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
