import { SourceMap } from "node:module";
import { SepError } from "../../errors.ts";
import type { CellCode } from "../cell/cell-code.ts";
import type { ShownError } from "../wire.ts";

/** The file name that the code of a cell has in stacks. */
export const cellFileName = (id: number): string => `cell-${id}.js`;

/** What a cell threw, with the line in the cell's own source where that is known. */
export function describeError(error: unknown, id: number, code: CellCode | null): ShownError {
  if (!(error instanceof Error)) {
    return { message: `The cell threw ${String(error)}`, line: null, column: null, stack: null };
  }
  const stack = error.stack ?? "";
  const place = findPlace(stack, id, code);
  const prefix = error instanceof SepError || error.name === "Error" ? "" : `${error.name}: `;
  const suffix = error instanceof SepError ? ` [${error.code}]` : "";
  return { message: `${prefix}${error.message}${suffix}`, ...place, stack: tidyStack(stack) };
}

function findPlace(
  stack: string,
  id: number,
  code: CellCode | null,
): { readonly line: number | null; readonly column: number | null } {
  const match = new RegExp(`cell-${id}\\.js:(\\d+):(\\d+)`).exec(stack);
  if (match === null) return { line: null, column: null };
  // the cell's text begins on the second line of its function
  const line = Number(match[1]) - 1;
  const column = Number(match[2]);
  if (code === null || code.sourceMap === null) return { line, column };
  const entry = new SourceMap(JSON.parse(code.sourceMap)).findEntry(line - 1, column - 1);
  return "originalLine" in entry
    ? { line: entry.originalLine + 1, column: entry.originalColumn + 1 }
    : { line, column };
}

/** The frames that tell the reader something: not those of this kernel and of Node. */
const tidyStack = (stack: string): string =>
  stack
    .split("\n")
    .filter((line) => !/^\s+at .*(node:|\/notebook\/kernel\/)/.test(line))
    .slice(0, 12)
    .join("\n");
