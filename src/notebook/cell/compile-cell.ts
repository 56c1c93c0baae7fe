import { BUILTIN_NAMES, type CellAnalysis, type CellCode, IMPORT_CALL, IMPORT_META } from "./cell-code.ts";

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
