import { type Message, type TransformFailure, transform } from "esbuild";
import type { CellProblem } from "./cell-code.ts";

/** JavaScript out of TypeScript, or why not. */
export type StrippedCode =
  | { readonly code: string; readonly sourceMap: string; readonly isExpression: boolean }
  | { readonly problem: CellProblem };

/**
 * Takes the types out of a cell. A cell that is one expression stays one.
 * Imports that look unused stay: other cells use them.
 */
export async function stripTypes(source: string): Promise<StrippedCode> {
  // Only an expression can stand in parentheses; the name keeps esbuild from dropping it as unused.
  const wrapped = await strip(`(${source}\n)`);
  if (!("problem" in wrapped) && !/^\s*$/.test(wrapped.code)) return { ...wrapped, isExpression: true };
  const plain = await strip(source);
  return "problem" in plain ? plain : { ...plain, isExpression: false };
}

async function strip(
  source: string,
): Promise<{ readonly code: string; readonly sourceMap: string } | { readonly problem: CellProblem }> {
  try {
    const { code, map } = await transform(source, {
      loader: "ts",
      target: "esnext",
      sourcemap: "external",
      sourcefile: "cell",
      treeShaking: false,
      logLevel: "silent",
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    });
    return { code, sourceMap: map };
  } catch (error) {
    const [message] = (error as Partial<TransformFailure>).errors ?? [];
    if (message === undefined) throw error;
    return { problem: describe(message) };
  }
}

function describe({ text, location }: Message): CellProblem {
  return {
    message: `SyntaxError: ${text}`,
    line: location?.line ?? null,
    column: location === null ? null : location.column + 1,
  };
}
