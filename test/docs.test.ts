import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { COMMANDS, findCommand } from "../src/cli/commands.ts";
import { parseOptions } from "../src/cli/options.ts";
import { SEP_ERROR_CODES } from "../src/errors.ts";
import { writeOptionTables } from "./option-tables.ts";

const ROOT = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");
const PAGES = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...readdirSync(new URL("docs/", ROOT))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

it("docs/errors.md has a row for each error code, in order, and no other", () => {
  const rows = [...read("docs/errors.md").matchAll(/^\| `([a-z-]+)` +\|/gm)].map(([, code]) => code);
  expect(rows).toEqual([...SEP_ERROR_CODES]);
});

it("docs/dependencies.md has a row for each dependency", () => {
  const names = ["package.json", "packages/notebook/package.json"].flatMap((path) => {
    const manifest = JSON.parse(read(path)) as Record<string, Record<string, string> | undefined>;
    const kinds = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];
    return kinds.flatMap((kind) => Object.keys(manifest[kind] ?? {}));
  });
  const own = new Set(["semantic-entropy-probes", "semantic-entropy-probes-notebook"]);
  const rows = [...read("docs/dependencies.md").matchAll(/^\| `([^`]+)` +\|/gm)].map(([, name]) => name);
  expect(rows.sort()).toEqual([...new Set(names)].filter((name) => !own.has(name)).sort());
});

describe.each(PAGES)("%s", (page) => {
  it("links to files that exist", () => {
    const links = [...read(page).matchAll(/\]\(([^)#]+)[^)]*\)/g)].map(([, link]) => link as string);
    const missing = links
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => !existsSync(new URL(link, new URL(page, ROOT))));
    expect(missing).toEqual([]);
  });

  it("shows commands that the CLI understands", () => {
    for (const line of sepCommands(read(page))) expect(() => checkCommand(line), line).not.toThrow();
  });
});

it("docs/architecture.md names files that exist", () => {
  const named = [
    ...read("docs/architecture.md").matchAll(/`((?:src|test|docs|packages|notebooks)\/[^`\s]*)`/g),
  ];
  const paths = named.map(([, path]) => path as string);
  expect(paths.length).toBeGreaterThan(60);
  expect(paths.filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([]);
});

it("the version is the same wherever it is written", () => {
  type Manifest = { version: string; peerDependencies: Record<string, string> };
  const [main, notebook] = ["package.json", "packages/notebook/package.json"].map(
    (path) => JSON.parse(read(path)) as Manifest,
  ) as [Manifest, Manifest];
  const { version } = main;
  expect(notebook.version).toBe(version);
  expect(main.peerDependencies["semantic-entropy-probes-notebook"]).toBe(version);
  expect(notebook.peerDependencies["semantic-entropy-probes"]).toBe(version);
  const lock = JSON.parse(read("package-lock.json")) as { packages: Record<string, Manifest> };
  expect(lock.packages[""]?.version).toBe(version);
  expect(lock.packages["packages/notebook"]?.version).toBe(version);
  expect(read("CITATION.cff")).toContain(`\nversion: ${version}\n`);
  expect(read("docs/deploy.md")).toContain(`/sep:${version}\n`);
  expect(read("CHANGELOG.md")).toContain(`\n## [${version}] - `);
});

it("docs/cli.md names every command", () => {
  const [before] = read("docs/cli.md").split("<!-- options -->") as [string];
  for (const { name } of COMMANDS) expect(before).toContain(`sep ${name}`);
});

it("docs/index.md leads to every page", () => {
  const pages = PAGES.filter((page) => page.startsWith("docs/") && page !== "docs/index.md");
  for (const page of pages) expect(read("docs/index.md")).toContain(`](${page.slice("docs/".length)})`);
});

it("docs/cli.md has the tables that the options' schemas give; UPDATE_DOCS=1 writes them", () => {
  const page = read("docs/cli.md");
  const [before, rest] = page.split("<!-- options -->\n") as [string, string];
  const [, after] = rest.split("<!-- /options -->\n") as [string, string];
  const current = `${before}<!-- options -->\n\n${writeOptionTables(COMMANDS)}\n<!-- /options -->\n${after}`;
  if (process.env.UPDATE_DOCS === "1") writeFileSync(new URL("docs/cli.md", ROOT), current);
  else expect(page).toBe(current);
});

it("the examples in TypeScript of README.md, docs/library.md and docs/serve.md pass the type checker against the built package", () => {
  const pages = ["README.md", "docs/library.md", "docs/serve.md"].map(read).join("\n");
  const examples = [...pages.matchAll(/^```ts\n(.*?)^```/gms)]
    .map(([, code]) => code as string)
    .filter((example) => !example.includes('from "./')); // files of the user's own
  expect(examples.length).toBeGreaterThan(5);
  for (const example of examples) expect(typeErrors(example)).toEqual([]);
  expect(typeErrors('import { nonsense } from "semantic-entropy-probes";')).toHaveLength(1);
});

it("the help's examples are commands that the CLI understands", () => {
  const lines = COMMANDS.flatMap(({ examples }) => examples.map(({ line }) => line));
  expect(lines.length).toBeGreaterThan(COMMANDS.length);
  for (const line of lines) expect(() => checkCommand(line), line).not.toThrow();
});

describe("the checker of commands", () => {
  it("finds them in bash blocks only, with comments and continued lines", () => {
    const page = [
      "```bash",
      "npx sep run --limit 5 \\",
      "  --runs 3 # quick",
      "npm ci",
      "sep eval",
      "```",
      "sep nonsense",
      "```text",
      "sep nonsense",
      "```",
    ];
    expect(sepCommands(page.join("\n"))).toEqual(["sep run --limit 5 --runs 3", "sep eval"]);
  });

  it.each([
    ["sep models fetch a/b"],
    ["sep models pull"],
    ["sep evaluate"],
    ["sep run --limitt 5"],
    ["sep run --limit five"],
    ["sep eval --model x"],
  ])("refuses %s", (line) => {
    expect(() => checkCommand(line)).toThrow();
  });
});

/** The command lines of a page's bash blocks that call `sep`. */
function sepCommands(markdown: string): string[] {
  return [...markdown.matchAll(/^```bash\n(.*?)^```/gms)]
    .flatMap(([, block]) => (block as string).replace(/\\\n\s*/g, "").split("\n"))
    .map((line) => line.replace(/\s+#.*$/, "").replace(/^npx /, ""))
    .filter((line) => line.startsWith("sep "));
}

function checkCommand(line: string): void {
  const { command, name, rest } = findCommand(COMMANDS, line.split(/\s+/).slice(1));
  if (command === null) throw new Error(`no command ${name}`);
  parseOptions(command.name, command.options, rest);
}

/** What the type checker says of a module of this package's user. */
function typeErrors(source: string): string[] {
  // Inside the package, so that its own name resolves through the `exports` of package.json.
  const path = fileURLToPath(new URL("example.mts", ROOT));
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts"],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ["node"],
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === path || fileExists(name);
  host.getSourceFile = (name, version, ...rest) =>
    name === path ? ts.createSourceFile(name, source, version) : getSourceFile(name, version, ...rest);
  return ts
    .getPreEmitDiagnostics(ts.createProgram([path], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
}
