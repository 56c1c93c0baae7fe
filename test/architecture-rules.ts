import { isBuiltin } from "node:module";
import { basename, dirname, posix } from "node:path";
import ts from "typescript";

/** A source file: its path from the repository's root with forward slashes, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly source: string;
}

/** Rooms of src/ in dependency order: a file imports its own room and rooms before it. */
export const ROOMS = [
  "errors",
  "math",
  "text",
  "formats",
  "engine",
  "store",
  "net",
  "checkpoint",
  "samples",
  "states",
  "meaning",
  "entropy",
  "probes",
  "evaluation",
  "report",
  "backends",
  "study",
  "serve",
  "ai-sdk",
  "files",
  "index",
  "cli",
] as const;

/** Rooms whose code runs in a browser as in Node; of other rooms they import types only. */
const ANYWHERE: ReadonlySet<string> = new Set([
  ...["errors", "math", "text", "formats", "engine"],
  ...["meaning", "entropy", "probes", "evaluation", "report", "ai-sdk"],
]);
const NODE_GLOBALS: ReadonlySet<string> = new Set(["Buffer", "process"]);
/** The one folder that knows ONNX Runtime. */
const RUNTIME = "src/engine/runtime/";
/** Files whose name says for which platform they are. */
const PLATFORM_FILE = /-node\.ts$/;
/** Words of a protocol, and the one folder that speaks it. */
const PROTOCOL_WORDS: readonly (readonly [word: string, folder: string])[] = [
  ["kv_transfer_params", "src/backends/vllm/"],
  ["extract_hidden_states", "src/backends/vllm/"],
];
/** Nobody imports it. */
const COMMAND_LINE = "cli";
const DRAWERS = new Set(["utils", "util", "helpers", "helper", "common", "types"]);
const BARREL = "src/index.ts";
/** Entries of packages: nothing but what they hand on. */
const ENTRY = /^(src\/(index|files|serve)|packages\/[^/]+\/src\/index)\.ts$/;
/** What other packages of this repository, and everybody else, may import. */
const PUBLIC_ENTRY = /^semantic-entropy-probes(\/(engine|entropy|files|probe|serve|ai-sdk))?$/;
const MAX_LINES = 400;
const MAX_BARREL_LINES = 360;

/**
 * Where the house's rules are broken. Tests may import whatever they need; the rules about names and length
 * hold for them too.
 * @returns one line a violation, each beginning with the file's path
 */
export function findViolations(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path));
  const tested = files.filter(({ path }) => !path.endsWith(".test.ts"));
  const sources = tested.filter(({ path }) => path.startsWith("src/"));
  const packaged = tested.filter(({ path }) => /^(packages|apps)\/[^/]+\/src\//.test(path));
  return [
    ...files.flatMap((file) => [...checkName(file), ...checkLength(file)]),
    ...sources.flatMap((file) => [
      ...checkRoom(file),
      ...checkBarrel(file),
      ...checkImports(file, paths),
      ...checkGlobals(file),
      ...checkProtocols(file),
    ]),
    ...packaged.flatMap((file) => [...checkBarrel(file), ...checkPackageImports(file, paths)]),
    ...findCircles([...sources, ...packaged]),
  ];
}

function checkName({ path }: SourceFile): string[] {
  const name = basename(path).replace(/(\.test|\.d)?\.tsx?$/, "");
  return [
    ...(DRAWERS.has(name) ? [`${path}: a file is named for what it holds, not "${name}"`] : []),
    ...(/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) ? [] : [`${path}: file names are kebab-case`]),
  ];
}

function checkLength({ path, source }: SourceFile): string[] {
  const lines = source.split("\n").length - 1;
  const bound = path === BARREL ? MAX_BARREL_LINES : MAX_LINES;
  return lines > bound ? [`${path}: ${lines} lines, at most ${bound}`] : [];
}

function checkRoom({ path }: SourceFile): string[] {
  return roomIndex(path) === -1 ? [`${path}: no such room`] : [];
}

/** A barrel is a file that does nothing but hand on what other files export. */
function checkBarrel({ path, source }: SourceFile): string[] {
  if (ENTRY.test(path)) return [];
  const { statements } = ts.createSourceFile(path, source, ts.ScriptTarget.Latest);
  const handsOn = statements.map(
    (each) => ts.isExportDeclaration(each) && each.moduleSpecifier !== undefined,
  );
  return handsOn.length > 0 && handsOn.every(Boolean) ? [`${path}: only a package's entry is a barrel`] : [];
}

function checkImports({ path, source }: SourceFile, paths: ReadonlySet<string>): string[] {
  const room = roomOf(path);
  return importsOf(path, source).flatMap(({ specifier, isType }) => {
    if (!specifier.startsWith(".")) return checkPackage(path, specifier, isType);
    const target = posix.join(dirname(path), specifier);
    // a style sheet beside its page, which esbuild puts in
    if (target.endsWith(".css")) return [];
    if (!paths.has(target)) return [`${path}: "${specifier}" does not name a file of src/`];
    if (basename(target) === "index.ts") return [`${path}: imports the index "${specifier}", not a file`];
    if (isAnywhere(path) && !isType && PLATFORM_FILE.test(target))
      return [`${path}: ${room}/ runs anywhere and imports "${specifier}", which needs Node`];
    if (roomOf(target) === room) return [];
    if (roomOf(target) === COMMAND_LINE) return [`${path}: imports the door ${COMMAND_LINE}/`];
    if (roomIndex(target) > roomIndex(path))
      return [`${path}: ${room} comes before ${roomOf(target)} and imports "${specifier}"`];
    return isAnywhere(path) && !isType && !ANYWHERE.has(roomOf(target))
      ? [`${path}: ${room}/ runs anywhere and imports "${specifier}", which needs Node`]
      : [];
  });
}

/** A package of its own stands on the library as its users do: on what is published. */
function checkPackageImports({ path, source }: SourceFile, paths: ReadonlySet<string>): string[] {
  const own = path.split("/").slice(0, 3).join("/");
  return importsOf(path, source).flatMap(({ specifier }) => {
    if (specifier.startsWith("semantic-entropy-probes/") && !PUBLIC_ENTRY.test(specifier))
      return [`${path}: imports "${specifier}", which is no public entry`];
    if (!specifier.startsWith(".") || specifier.endsWith(".css")) return [];
    const target = posix.join(dirname(path), specifier);
    if (!target.startsWith(`${own}/`))
      return [`${path}: imports "${specifier}", expected a public entry of semantic-entropy-probes`];
    return paths.has(target) ? [] : [`${path}: "${specifier}" does not name a file of ${own}/`];
  });
}

function checkPackage(path: string, specifier: string, isType: boolean): string[] {
  if (specifier.startsWith("onnxruntime-") && !path.startsWith(RUNTIME))
    return [`${path}: imports "${specifier}", which only ${RUNTIME} does`];
  return isAnywhere(path) && !isType && isBuiltin(specifier)
    ? [`${path}: ${roomOf(path)}/ runs anywhere and imports "${specifier}"`]
    : [];
}

/** What exists in Node alone, in code that runs anywhere. */
function checkGlobals({ path, source }: SourceFile): string[] {
  if (!isAnywhere(path)) return [];
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && NODE_GLOBALS.has(node.text) && !isPropertyName(node)) found.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true));
  return [...found].map((name) => `${path}: ${roomOf(path)}/ runs anywhere and uses ${name}`);
}

/** `a.process` and `{ process: 1 }` name something else. */
const isPropertyName = (node: ts.Identifier): boolean =>
  (ts.isPropertyAccessExpression(node.parent) ||
    ts.isPropertyAssignment(node.parent) ||
    ts.isPropertySignature(node.parent)) &&
  node.parent.name === node;

function checkProtocols({ path, source }: SourceFile): string[] {
  return PROTOCOL_WORDS.flatMap(([word, folder]) =>
    source.includes(word) && !path.startsWith(folder) ? [`${path}: "${word}" belongs into ${folder}`] : [],
  );
}

/** Files that import each other, directly or over others, types included. */
function findCircles(files: readonly SourceFile[]): string[] {
  const graph = new Map(
    files.map(({ path, source }) => [
      path,
      importsOf(path, source)
        .filter(({ specifier }) => specifier.startsWith("."))
        .map(({ specifier }) => posix.join(dirname(path), specifier)),
    ]),
  );
  const circles: string[] = [];
  const state = new Map<string, "open" | "closed">();
  const walk = (path: string, way: readonly string[]): void => {
    if (state.get(path) === "closed") return;
    if (state.get(path) === "open") {
      circles.push(`${[...way.slice(way.indexOf(path)), path].join(" -> ")}: a circle of imports`);
      return;
    }
    state.set(path, "open");
    for (const target of graph.get(path) ?? []) walk(target, [...way, path]);
    state.set(path, "closed");
  };
  for (const path of graph.keys()) walk(path, []);
  return circles;
}

/** Every module that a file imports, type imports, re-exports and `import()` included. */
function importsOf(path: string, source: string): { readonly specifier: string; readonly isType: boolean }[] {
  const { statements } = ts.createSourceFile(path, source, ts.ScriptTarget.Latest);
  const types = new Set(statements.filter(isTypeOnly).map(({ moduleSpecifier }) => moduleSpecifier.text));
  const values = new Set(
    statements
      .filter((each) => hasSpecifier(each) && !isTypeOnly(each))
      .map((each) => (each as Specified).moduleSpecifier.text),
  );
  return ts.preProcessFile(source, true, true).importedFiles.map(({ fileName: specifier }) => ({
    specifier,
    isType: types.has(specifier) && !values.has(specifier),
  }));
}

type Specified = (ts.ImportDeclaration | ts.ExportDeclaration) & {
  readonly moduleSpecifier: ts.StringLiteral;
};

const hasSpecifier = (each: ts.Statement): each is Specified =>
  (ts.isImportDeclaration(each) || ts.isExportDeclaration(each)) &&
  each.moduleSpecifier !== undefined &&
  ts.isStringLiteral(each.moduleSpecifier);

function isTypeOnly(each: ts.Statement): each is Specified {
  if (!hasSpecifier(each)) return false;
  if (ts.isExportDeclaration(each)) return each.isTypeOnly;
  const { importClause } = each;
  if (importClause === undefined) return false;
  if (importClause.isTypeOnly) return true;
  const { name, namedBindings } = importClause;
  return (
    name === undefined &&
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  );
}

const isAnywhere = (path: string): boolean => ANYWHERE.has(roomOf(path)) && !PLATFORM_FILE.test(path);

/** "src/math/rng.ts" -> "math"; "src/errors.ts" -> "errors" */
const roomOf = (path: string): string => (path.split("/")[1] as string).replace(/\.ts$/, "");

const roomIndex = (path: string): number => (ROOMS as readonly string[]).indexOf(roomOf(path));
