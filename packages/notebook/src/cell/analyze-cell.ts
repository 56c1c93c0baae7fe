import { type Expression, type Node, type Program, parse, parseExpressionAt } from "acorn";
import { analyze, type Reference, type Variable } from "eslint-scope";
import { CELL_TYPES, type NotebookCell } from "../format/notebook-file.ts";
import { BUILTIN_NAMES, type CellAnalysis, type CellProblem, IMPORT_CALL, IMPORT_META } from "./cell-code.ts";
import {
  applySplices,
  isImportNode,
  rewriteImports,
  type Splice,
  stripTypes,
  templateSource,
} from "./cell-source.ts";

const PARSE = {
  ecmaVersion: "latest",
  sourceType: "module",
  allowAwaitOutsideFunction: true,
  ranges: true,
} as const;

/**
 * Finds out what a cell defines and what it reads, without running it.
 * Cells of Markdown and HTML are templates whose `${…}` are expressions.
 */
export async function analyzeCell({
  kind,
  type,
  source,
}: Pick<NotebookCell, "kind" | "type" | "source">): Promise<CellAnalysis> {
  if (kind === "unsupported") {
    const known = Object.values(CELL_TYPES).join(", ");
    return failed({
      message: `Cells of type "${type}" cannot run here, expected ${known}. Write it as TypeScript.`,
      line: null,
      column: null,
    });
  }
  if (kind === "markdown" || kind === "html") {
    const template = templateSource(kind === "markdown" ? "md" : "html", source);
    return "problem" in template
      ? failed(template.problem)
      : analyzeScript(template.source, template.source, null, true);
  }
  if (kind === "js") return analyzeScript(source, source, null, null);
  const stripped = await stripTypes(source);
  if ("problem" in stripped) return failed(stripped.problem);
  const { code, sourceMap, isExpression } = stripped;
  return analyzeScript(isExpression ? code.replace(/;\s*$/, "") : code, source, sourceMap, isExpression);
}

/**
 * @param written the source as the author wrote it, with its types
 * @param isExpression null when it is not known yet
 */
function analyzeScript(
  source: string,
  written: string,
  sourceMap: string | null,
  isExpression: boolean | null,
): CellAnalysis {
  const expression = isExpression === false ? null : parseExpression(source);
  let program: Program | Expression;
  try {
    program = expression ?? parse(source, PARSE);
  } catch (error) {
    return failed(describeSyntaxError(error));
  }
  const scopes = analyze(wrap(program) as never, { ecmaVersion: 2024, sourceType: "module" });
  const [moduleScope] = scopes.globalScope?.childScopes ?? [];
  const defines = (moduleScope?.variables ?? []).map(({ name }: Variable) => name);
  const through = scopes.globalScope?.through ?? [];
  const reads = [
    ...new Set(through.map(({ identifier }: Reference) => (identifier as { name: string }).name)),
  ];
  const nodes = collectNodes(program);
  const problem = checkExports(nodes, source) ?? checkAssignments(through, source) ?? checkBuiltins(defines);
  const body = {
    text: applySplices(source, [
      ...rewriteImports(source, nodes.filter(isImportNode)),
      ...showLast(program, source, written),
    ]),
    isExpression: expression !== null,
    sourceMap,
  };
  return {
    defines,
    reads,
    imports: nodes.flatMap((node) =>
      node.type === "ImportDeclaration"
        ? [String((node as unknown as { source: { value: unknown } }).source.value)]
        : [],
    ),
    body: problem === null ? body : null,
    problem,
  };
}

/** A cell that is one expression shows its value; `null` when it is something else. */
function parseExpression(source: string): Expression | null {
  try {
    // parentheses count as nodes, so that the expression's end is behind its last one
    const expression = parseExpressionAt(source, 0, { ...PARSE, preserveParens: true });
    return isBlank(source.slice(expression.end)) ? expression : null;
  } catch {
    // not an expression: the caller parses it as statements and reports their errors
    return null;
  }
}

/** An expression at the end of a cell is shown, unless a semicolon ends it. */
function showLast(program: Program | Expression, source: string, written: string): Splice[] {
  const last = program.type === "Program" ? program.body.at(-1) : undefined;
  if (last?.type !== "ExpressionStatement" || last.directive !== undefined) return [];
  if (/;\s*(?:\/\/[^\n]*\s*|\/\*[\s\S]*?\*\/\s*)*$/.test(written)) return [];
  const { start, end } = last;
  // drop the semicolon that type stripping added
  const expressionEnd = source[end - 1] === ";" ? end - 1 : end;
  return [
    { start: expressionEnd, end, text: "), true)" },
    { start, end: start, text: "; display(await (" },
  ];
}

/** Whether nothing but blanks and comments follows. A semicolon makes a statement of an expression: nothing is shown. */
const isBlank = (rest: string): boolean => /^(?:\s|\/\/[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*$/.test(rest);

/** The scope analysis wants a program. */
const wrap = (node: Program | Expression): Node =>
  node.type === "Program"
    ? node
    : ({
        type: "Program",
        sourceType: "module",
        start: node.start,
        end: node.end,
        body: [{ type: "ExpressionStatement", expression: node, start: node.start, end: node.end }],
      } as unknown as Node);

function collectNodes(root: Node): Node[] {
  const nodes: Node[] = [];
  const pending: unknown[] = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (Array.isArray(value)) pending.push(...value);
    else if (isNode(value)) {
      nodes.push(value);
      pending.push(...Object.values(value));
    }
  }
  return nodes;
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";

function checkExports(nodes: readonly Node[], source: string): CellProblem | null {
  const node = nodes.find(({ type }) => type.startsWith("Export"));
  if (node === undefined) return null;
  return {
    message: "A cell exports its top-level names by itself: remove `export`.",
    ...placeOf(source, node.start),
  };
}

/** Only the cell that defines a name may change it; else what a name holds would depend on the order of runs. */
function checkAssignments(references: readonly Reference[], source: string): CellProblem | null {
  const write = references.find((reference) => reference.isWrite());
  if (write === undefined) return null;
  const { name, start } = write.identifier as unknown as { readonly name: string; readonly start: number };
  return {
    message: `${name} is not defined in this cell, so it cannot be assigned here. Declare it with const or let, or change it where it is defined.`,
    ...placeOf(source, start),
  };
}

function checkBuiltins(defines: readonly string[]): CellProblem | null {
  const taken = defines.find(
    (name) =>
      (BUILTIN_NAMES as readonly string[]).includes(name) || name === IMPORT_CALL || name === IMPORT_META,
  );
  return taken === undefined
    ? null
    : { message: `${taken} is a name of the notebook itself. Choose another one.`, line: null, column: null };
}

const failed = (problem: CellProblem): CellAnalysis => ({
  defines: [],
  reads: [],
  imports: [],
  body: null,
  problem,
});

function describeSyntaxError(error: unknown): CellProblem {
  if (!(error instanceof SyntaxError)) throw error;
  const { loc } = error as SyntaxError & {
    readonly loc?: { readonly line: number; readonly column: number };
  };
  return {
    message: `SyntaxError: ${error.message.replace(/ \(\d+:\d+\)$/, "")}`,
    line: loc?.line ?? null,
    column: loc === undefined ? null : loc.column + 1,
  };
}

function placeOf(source: string, offset: number): { readonly line: number; readonly column: number } {
  const before = source.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1) as string).length + 1 };
}
