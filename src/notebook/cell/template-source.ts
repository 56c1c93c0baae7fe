import { parseExpressionAt } from "acorn";
import type { CellProblem } from "./cell-code.ts";

/** A Markdown or HTML cell as a tagged template, or what is wrong with one of its expressions. */
export type TemplateSource = { readonly source: string } | { readonly problem: CellProblem };

/**
 * Text with `${…}` as the source of a tagged template. Where a brace closes its expression is what the parser of
 * JavaScript says, so that braces and backticks inside an expression are no trouble.
 */
export function templateSource(tag: "md" | "html", text: string): TemplateSource {
  let source = `${tag}\``;
  let at = 0;
  for (;;) {
    const open = text.indexOf("${", at);
    if (open === -1) return { source: `${source}${escapeLiteral(text.slice(at))}\`` };
    source += escapeLiteral(text.slice(at, open));
    const close = expressionEnd(text, open + 2);
    if (typeof close !== "number") return { problem: close };
    source += text.slice(open, close + 1);
    at = close + 1;
  }
}

/** Whether a text holds expressions; without them it can be shown before anything runs. */
export const hasExpressions = (text: string): boolean => text.includes("${");

/** Where the brace stands that closes the expression which begins at `from`. */
function expressionEnd(text: string, from: number): number | CellProblem {
  const line = text.slice(0, from).split("\n").length;
  const problem = (message: string): CellProblem => ({ message, line, column: null });
  try {
    const { end } = parseExpressionAt(text, from, {
      ecmaVersion: "latest",
      sourceType: "module",
      allowAwaitOutsideFunction: true,
      preserveParens: true,
    });
    const gap = /^(?:\s|\/\*[\s\S]*?\*\/)*/.exec(text.slice(end))?.[0].length ?? 0;
    if (text[end + gap] === "}") return end + gap;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return problem(`SyntaxError in \${…}: ${error.message.replace(/ \(\d+:\d+\)$/, "")}`);
  }
  return problem("SyntaxError: there is no closing brace behind the expression.");
}

const escapeLiteral = (text: string): string => text.replace(/[\\`]|\$(?=\{)/g, "\\$&");
