import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { listPages, readContents, slugify } from "../docs/.vitepress/contents.ts";
import { COMMANDS, findCommand } from "../src/cli/commands.ts";
import { listOptions, parseOptions } from "../src/cli/options.ts";
import { SINGLE_POSITIONS, UNIT_POSITIONS } from "../src/engine/places.ts";
import { SEP_ERROR_CODES } from "../src/errors.ts";
import { pageOf, writeCommandPages } from "./command-pages.ts";

const ROOT = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), "utf8");
const DOCS = readdirSync(new URL("docs/", ROOT), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".md"))
  .map((name) => `docs/${name}`)
  .sort();
const PAGES = [
  ...["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md"],
  ...["models/pocket/README.md", "packages/notebook/README.md"],
  ...DOCS,
];
const MOST_LINES = 250;
const IS_RENEWING = process.env.UPDATE_DOCS === "1";

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
  it("links to files and headings that exist", () => {
    const links = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link as string);
    const missing = links
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => {
        const { pathname, hash } = new URL(link, new URL(page, ROOT));
        if (!existsSync(pathname)) return true;
        return (
          hash !== "" && !anchorsOf(readFileSync(pathname, "utf8")).has(decodeURIComponent(hash.slice(1)))
        );
      });
    expect(missing).toEqual([]);
  });

  it("shows commands that the CLI understands", () => {
    for (const line of sepCommands(read(page))) expect(() => checkCommand(line), line).not.toThrow();
  });
});

it.each([["README.md", 109], ...DOCS.map((page) => [page, MOST_LINES] as const)] as const)(
  "%s has at most %i lines",
  (page, most) => {
    expect(read(page).trimEnd().split("\n").length).toBeLessThanOrEqual(most);
  },
);

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

it("docs/index.md leads to every page, once, and so does the site's sidebar, which is made from it", () => {
  const pages = listPages(readContents()).map((link) => `${link.slice(1)}.md`);
  expect(pages.sort()).toEqual(DOCS.filter((page) => page !== "docs/index.md"));
  expect(readContents().map(({ text }) => text)).toEqual([
    "Tutorial",
    "How-to guides",
    "Reference",
    "Explanation",
  ]);
});

it("docs/cli.md has a row for every command, which leads to its page", () => {
  const rows = [...read("docs/cli.md").matchAll(/^\| \[`sep ([^`]+)`\]\(cli\/([a-z-]+\.md)\)/gm)];
  expect(rows.map(([, words, page]) => [(words as string).replace(/ [A-Z_]+$/, ""), page])).toEqual(
    COMMANDS.map((command) => [command.name, pageOf(command)]),
  );
});

it("docs/cli/ has the pages that the options' schemas give, and no other; UPDATE_DOCS=1 writes them", () => {
  const folder = new URL("docs/cli/", ROOT);
  const pages = writeCommandPages(COMMANDS);
  if (IS_RENEWING) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    for (const [name, page] of pages) writeFileSync(new URL(name, folder), page);
  }
  expect(readdirSync(folder).sort()).toEqual([...pages.keys()].sort());
  for (const [name, page] of pages) expect(read(`docs/cli/${name}`), name).toBe(page);
});

describe("docs/glossary.md", () => {
  const entries = [...read("docs/glossary.md").matchAll(/^- \*\*(.+?)\*\*: ((?:.|\n {2})+)/gm)].map(
    ([, term, text]) => ({ term: term as string, text: text as string }),
  );

  it("is in alphabetical order, and each entry has a link", () => {
    const keys = entries.map(({ term }) => term.toLowerCase().replace(/[^a-z0-9]/g, ""));
    expect(keys).toEqual([...keys].sort());
    expect(new Set(keys).size).toBe(keys.length);
    expect(entries.filter(({ text }) => !text.includes("](")).map(({ term }) => term)).toEqual([]);
  });

  it("has the words of the field that the documentation keeps to, and the places by name", () => {
    const words = [
      ...["sample", "NLI model", "CPU, GPU", "dtype", "quantized", "int8 matmul", "linear layer", "backbone"],
      ...["resolve", "grade", "judge", "generation config", "sweep", "Gram matrix", "in-distribution"],
      ...["out-of-distribution", "residual stream", "layer", "final norm", "place", "label", "score", "risk"],
      ...["cluster", "trace", "probe", "semantic entropy", "accuracy probe", "SE probe", "AUROC", "nats"],
      ...SINGLE_POSITIONS,
      ...UNIT_POSITIONS,
    ];
    const terms = new Set(entries.map(({ term }) => term));
    expect(words.filter((word) => !terms.has(word))).toEqual([]);
  });
});

describe("spelling", () => {
  it.each(PAGES.filter((page) => !page.startsWith("docs/cli/")))("%s is American", (page) => {
    expect(findBritish(withoutCode(read(page)))).toEqual([]);
  });

  it("of the help is American", () => {
    const options = COMMANDS.flatMap((command) => listOptions(command.options));
    const choices = new Set(options.flatMap(({ placeholder }) => placeholder.split("|")));
    const texts = [...COMMANDS.map(({ summary }) => summary), ...options.map(({ help }) => help)].join("\n");
    expect(findBritish(texts).filter((word) => !choices.has(word))).toEqual([]);
  });

  it("finds British words, and no others", () => {
    const british =
      "The colour of a normalised centre; quantised, modelled, labelling; behaviour, licence, artefact, grey.";
    expect(findBritish(british)).toHaveLength(10);
    expect(
      findBritish(
        "Exercise, promise, precise, raised, advise, noise, otherwise, size; four, our, hour, your.",
      ),
    ).toEqual([]);
  });
});

it("the examples in TypeScript pass the type checker against the built package", { timeout: 300_000 }, () => {
  const pages = PAGES.map(read).join("\n");
  const examples = [...pages.matchAll(/^```ts\n(.*?)^```/gms)]
    .map(([, code]) => code as string)
    .filter((example) => !example.includes('from "./')); // files of the user's own
  expect(examples.length).toBeGreaterThan(5);
  const broken = 'import { nonsense } from "semantic-entropy-probes";';
  const errors = typeErrors([...examples, broken]);
  expect(errors.pop()).toHaveLength(1);
  expect(errors.flat()).toEqual([]);
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
    .flatMap(([, block]) => (block as string).replace(/\\\n\s*/g, "").split(/\n| && /))
    .map((line) => line.replace(/\s+#.*$/, "").replace(/^npx /, ""))
    .filter((line) => line.startsWith("sep "));
}

function checkCommand(line: string): void {
  const { command, name, rest } = findCommand(COMMANDS, line.split(/\s+/).slice(1));
  if (command === null) throw new Error(`no command ${name}`);
  parseOptions(command.name, command.options, rest);
}

/** Markdown without blocks and spans of code, where names of other programs and of files are spelled as they are. */
const withoutCode = (markdown: string): string =>
  markdown.replace(/^```.*?^```/gms, "").replace(/(`+)(?:(?!\1)[\s\S])+?\1/g, "`");

/** The anchors of a page's headings, as GitHub and the site make them. */
function anchorsOf(markdown: string): Set<string> {
  const headings = [...markdown.replace(/^```.*?^```/gms, "").matchAll(/^#+ (.*)/gm)].map(([, text]) =>
    slugify((text as string).replaceAll("`", "").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")),
  );
  const seen = new Map<string, number>();
  return new Set(
    headings.map((slug) => {
      const count = seen.get(slug) ?? 0;
      seen.set(slug, count + 1);
      return count === 0 ? slug : `${slug}-${count}`;
    }),
  );
}

/** The commonest British spellings. */
const BRITISH = [
  /\b\w*(?:behavi|col|fav|flav|harb|hon|hum|lab|neighb|rum)our\w*/gi,
  /\b\w*(?:capital|categor|character|custom|digit|discret|factor|final|general|initial|linear|local|material)is(?:e|ing|ation)\w*/gi,
  /\b\w*(?:maxim|memor|minim|normal|optim|organ|parameter|penal|prior|quant|random|real|recogn|regular)is(?:e|ing|ation)\w*/gi,
  /\b\w*(?:sanit|serial|special|stabil|standard|summar|symbol|synchron|token|util|vector|visual)is(?:e|ing|ation)\w*/gi,
  /\b\w*(?:cancel|fuel|label|level|model|signal|travel)l(?:ed|ing|er)\w*/gi,
  /\b(?:centre|fibre|litre|metre|theatre)\w*/gi,
  /\b(?:un)?(?:learnt|spelt|burnt)\b/gi,
  /\b(?:ageing|amongst|analys(?:e|ed|ing)|artefact|catalogue|defence|dialogue|fulfil|grey|judgement|licence|maths)s?\b/gi,
  /\b(?:offence|programme|sceptic\w*|skilful|towards|whilst)s?\b/gi,
] as const;

const findBritish = (text: string): string[] => BRITISH.flatMap((pattern) => text.match(pattern) ?? []);

/** What the type checker says of each of several modules of this package's user. */
function typeErrors(sources: readonly string[]): string[][] {
  // Inside the package, so that its own name resolves through the `exports` of package.json.
  const modules = new Map(
    sources.map((source, i) => [fileURLToPath(new URL(`example-${i}.mts`, ROOT)), source] as const),
  );
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
  host.fileExists = (name) => modules.has(name) || fileExists(name);
  host.getSourceFile = (name, version, ...rest) => {
    const source = modules.get(name);
    return source === undefined
      ? getSourceFile(name, version, ...rest)
      : ts.createSourceFile(name, source, version);
  };
  const program = ts.createProgram([...modules.keys()], options, host);
  return [...modules.keys()].map((path) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(path))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")),
  );
}
