import type { ImportDeclaration, ImportExpression, MetaProperty, Node } from "acorn";
import { IMPORT_CALL, IMPORT_META } from "./cell-code.ts";

type ImportNode = ImportDeclaration | ImportExpression | MetaProperty;

/** A piece of a text that becomes another one. */
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
