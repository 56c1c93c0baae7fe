/** One cell ready to run: an async function of the names that it reads, which returns the names it defines. */
export interface CellCode {
  /** JavaScript of a function expression; its parameters are {@link reads}, then the built-ins. */
  readonly code: string;
  /** Source map of the code before the function was put around it, for cells in TypeScript; else null. */
  readonly sourceMap: string | null;
}

/** What a cell's source says about itself. */
export interface CellAnalysis {
  /** Names that it defines at its top level, in order. */
  readonly defines: readonly string[];
  /** Names that it takes from outside: other cells, built-ins and globals. */
  readonly reads: readonly string[];
  /** Modules that it imports. */
  readonly imports: readonly string[];
  /** null when it cannot run. */
  readonly body: CellBody | null;
  readonly problem: CellProblem | null;
}

/** The statements or the expression of a cell, with its imports turned into calls. */
interface CellBody {
  readonly text: string;
  readonly isExpression: boolean;
  readonly sourceMap: string | null;
}

/** Why a cell cannot run, and where. */
export interface CellProblem {
  readonly message: string;
  /** Line and column in the cell's source, both from 1; null for the whole cell. */
  readonly line: number | null;
  readonly column: number | null;
}

/** The names that every cell has, and the parameters that its function takes after what it reads. */
export const BUILTIN_NAMES = [
  "display",
  "view",
  "ui",
  "md",
  "html",
  "table",
  "Plot",
  "progress",
  "cache",
  "stop",
  "args",
  "invalidation",
] as const;
export type BuiltinName = (typeof BUILTIN_NAMES)[number];

/** What the rewritten body calls for `import`, and for `import.meta`. */
export const IMPORT_CALL = "__sepImport";
export const IMPORT_META = "__sepMeta";

/**
 * Puts the function around a cell's body. The body begins on the function's second line.
 * @param inputs the names that other cells define, in the order in which their values are handed over
 * @returns null if the cell cannot run
 */
export function compileCell({ body, defines }: CellAnalysis, inputs: readonly string[]): CellCode | null {
  if (body === null) return null;
  const parameters = [...inputs, ...BUILTIN_NAMES, IMPORT_CALL, IMPORT_META].join(", ");
  const { text, sourceMap, isExpression } = body;
  const code = isExpression
    ? `async (${parameters}) => { display(await (\n${text}\n), true); return {}; }`
    : `async (${parameters}) => {\n${text}\n; return { ${defines.join(", ")} }; }`;
  return { code: `(${code})`, sourceMap };
}
