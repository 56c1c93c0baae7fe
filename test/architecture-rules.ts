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
  "store",
  "onnx",
  "models",
  "servers",
  "questions",
  "sampling",
  "meaning",
  "entropy",
  "tracing",
  "probes",
  "evaluation",
  "report",
  "pipeline",
  "index",
  "notebook",
  "cli",
] as const;

const PURE_ROOMS = new Set(["math", "text"]);
/** Packages that are arithmetic and nothing else, in a browser as in Node. */
const PURE_PACKAGES = new Set(["decimal.js"]);
const DOORS = new Set(["notebook", "cli"]);
/** The door that opens the others. */
const COMMAND_LINE = "cli";
const DRAWERS = new Set(["utils", "util", "helpers", "helper", "common", "types"]);
const BARREL = "src/index.ts";
const MAX_LINES = 400;
const MAX_BARREL_LINES = 110;

/**
 * Where the house's rules are broken. Tests may import whatever they need; the rules about names and length
 * hold for them too.
 * @returns one line a violation, each beginning with the file's path
 */
export function findViolations(files: readonly SourceFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path));
  return files.flatMap((file) => [
    ...checkName(file),
    ...checkLength(file),
    ...(file.path.startsWith("src/") && !file.path.endsWith(".test.ts")
      ? [...checkRoom(file), ...checkBarrel(file), ...checkImports(file, paths)]
      : []),
  ]);
}

function checkName({ path }: SourceFile): string[] {
  const name = basename(path).replace(/(\.test|\.d)?\.ts$/, "");
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
  if (path === BARREL) return [];
  const { statements } = ts.createSourceFile(path, source, ts.ScriptTarget.Latest);
  const handsOn = statements.map(
    (each) => ts.isExportDeclaration(each) && each.moduleSpecifier !== undefined,
  );
  return handsOn.length > 0 && handsOn.every(Boolean) ? [`${path}: the only barrel is ${BARREL}`] : [];
}

function checkImports({ path, source }: SourceFile, paths: ReadonlySet<string>): string[] {
  const room = roomOf(path);
  return importsOf(source).flatMap((specifier) => {
    if (!specifier.startsWith(".")) {
      const isAllowed = !PURE_ROOMS.has(room) || PURE_PACKAGES.has(specifier);
      return isAllowed ? [] : [`${path}: ${room}/ is pure and imports "${specifier}"`];
    }
    const target = posix.join(dirname(path), specifier);
    // a style sheet beside its page, which esbuild puts in
    if (target.endsWith(".css")) return [];
    if (!paths.has(target)) return [`${path}: "${specifier}" does not name a file of src/`];
    if (basename(target) === "index.ts") return [`${path}: imports the index "${specifier}", not a file`];
    if (roomOf(target) === room) return [];
    if (DOORS.has(roomOf(target)) && room !== COMMAND_LINE)
      return [`${path}: imports the door ${roomOf(target)}/`];
    return roomIndex(target) < roomIndex(path)
      ? []
      : [`${path}: ${room} comes before ${roomOf(target)} and imports "${specifier}"`];
  });
}

/** Every module that a file imports, type imports, re-exports and `import()` included. */
function importsOf(source: string): string[] {
  return ts.preProcessFile(source, true, true).importedFiles.map(({ fileName }) => fileName);
}

/** "src/math/rng.ts" -> "math"; "src/errors.ts" -> "errors" */
const roomOf = (path: string): string => (path.split("/")[1] as string).replace(/\.ts$/, "");

const roomIndex = (path: string): number => (ROOMS as readonly string[]).indexOf(roomOf(path));
