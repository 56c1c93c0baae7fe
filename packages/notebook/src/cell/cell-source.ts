import {
  type ImportDeclaration,
  type ImportExpression,
  type MetaProperty,
  type Node,
  parseExpressionAt,
} from "acorn";
import { type Message, type TransformFailure, transform } from "esbuild";
import { type CellProblem, IMPORT_CALL, IMPORT_META } from "./cell-code.ts";

/** JavaScript out of TypeScript, or why not. */
type StrippedCode =
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

/** A Markdown or HTML cell as a tagged template, or what is wrong with one of its expressions. */
type TemplateSource = { readonly source: string } | { readonly problem: CellProblem };

/**
 * Text with `${…}` as the source of a tagged template. The JavaScript parser finds the end of each expression, so
 * braces and backticks inside expressions are handled correctly.
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

/** The position of the brace that closes the expression beginning at `from`. */
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
  return problem("SyntaxError: there is no closing brace after the expression.");
}

const escapeLiteral = (text: string): string => text.replace(/[\\`]|\$(?=\{)/g, "\\$&");

type ImportNode = ImportDeclaration | ImportExpression | MetaProperty;

/** A replacement of a piece of a text. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Turns imports into calls, since a cell's body runs inside a function: `import { a } from "b"` becomes
 * `const { a } = await __sepImport("b")`. Line breaks are kept, so that lines keep their numbers.
 */
export const rewriteImports = (source: string, nodes: readonly ImportNode[]): Splice[] =>
  nodes.map((node) => ({
    start: node.start,
    end: node.end,
    text: rewrite(node, source.slice(node.start, node.end)),
  }));

/** Applies splices that do not overlap; of two at one place the later one in the list ends up in front. */
export function applySplices(source: string, splices: readonly Splice[]): string {
  let text = source;
  for (const { start, end, text: insert } of [...splices].sort((a, b) => b.start - a.start))
    text = text.slice(0, start) + insert + text.slice(end);
  return text;
}

/** Whether a node is one that {@link rewriteImports} rewrites. */
export const isImportNode = (node: Node): node is ImportNode =>
  node.type === "ImportDeclaration" ||
  node.type === "ImportExpression" ||
  (node.type === "MetaProperty" && (node as MetaProperty).meta.name === "import");

function rewrite(node: ImportNode, replaced: string): string {
  if (node.type === "MetaProperty") return IMPORT_META;
  if (node.type === "ImportExpression") return replaced.replace(/^import/, IMPORT_CALL);
  const call = `await ${IMPORT_CALL}(${JSON.stringify(node.source.value)})`;
  const lineBreaks = "\n".repeat(replaced.split("\n").length - 1);
  return `${bindings(node, call)};${lineBreaks}`;
}

function bindings({ specifiers }: ImportDeclaration, call: string): string {
  if (specifiers.length === 0) return call;
  const namespace = specifiers.find(({ type }) => type === "ImportNamespaceSpecifier");
  const named = specifiers.flatMap((specifier) => {
    if (specifier.type === "ImportNamespaceSpecifier") return [];
    if (specifier.type === "ImportDefaultSpecifier") return [`default: ${specifier.local.name}`];
    const { imported } = specifier;
    const key = imported.type === "Identifier" ? imported.name : JSON.stringify(imported.value);
    return [`${key}: ${specifier.local.name}`];
  });
  const pattern = `{ ${named.join(", ")} }`;
  if (namespace === undefined) return `const ${pattern} = ${call}`;
  const all = `const ${namespace.local.name} = ${call}`;
  return named.length === 0 ? all : `${all}, ${pattern} = ${namespace.local.name}`;
}
