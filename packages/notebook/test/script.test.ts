import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { eachSampled } from "../../../test/each-sampled.ts";
import { notebookText, stageNotebook } from "./stage-notebook.ts";

const CLI = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));
const sep = (...args: readonly string[]) => spawnSync(process.execPath, [CLI, ...args], { encoding: "utf8" });
const lines = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

it("runs a notebook as a script, with arguments, local files, this package and a cache", {
  tags: ["long"],
}, async () => {
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: templates of the cells
  await using stage = await stageNotebook(
    notebookText([
      "# Script",
      'const k = view(ui.slider({ min: 1, max: 99, value: args.k ?? 1, label: "K" }));',
      'const go = view(ui.runButton({ label: "Go" }));\nstop(false);',
      'import { semanticEntropy } from "semantic-entropy-probes";\nimport { double } from "./own.ts";\nstop(!go, "Press Go.");\nconsole.log("logged", double(k), typeof semanticEntropy);',
      'const kept = await cache("kept", [k], () => process.pid);\n`pid ${kept}`',
    ]),
  );
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: templates of the cells
  await writeFile(join(stage.folder, "own.ts"), "export const double = (x: number): number => 2 * x;\n");
  const first = sep("notebook", "run", stage.path, "--", "--k", "20");
  expect([first.status, first.stdout]).toEqual([0, expect.stringContaining("logged 40 function")]);
  const again = sep("notebook", "run", stage.path, "--", "--k", "20");
  expect(/pid \d+/.exec(again.stdout)?.[0]).toBe(/pid \d+/.exec(first.stdout)?.[0]);
  expect(/pid \d+/.exec(sep("notebook", "run", stage.path, "--", "--k", "21").stdout)?.[0]).not.toBe(
    /pid \d+/.exec(first.stdout)?.[0],
  );
  const page = join(stage.folder, "page.html");
  expect(sep("notebook", "export", stage.path, "--to", page).status).toBe(0);
  expect(await readFile(page, "utf8")).toContain("\\u003ch1>Script\\u003c/h1>");
  // drafts, results and cached values may hold anything: they are their owner's, also where the folder was there before
  const stored = join(stage.folder, ".sep-notebook");
  expect(await modesIn(stored)).toEqual(new Set(["700", "600"]));
  for (const path of await pathsIn(stored)) await chmod(path, 0o777);
  expect(
    spawnSync("sh", ["-c", `umask 0; exec "$@"`, "sh", process.execPath, CLI, "notebook", "run", stage.path])
      .status,
  ).toBe(0);
  expect(await modesIn(stored)).toEqual(new Set(["700", "600"]));
});

const pathsIn = async (folder: string): Promise<string[]> => [
  folder,
  ...(await readdir(folder, { recursive: true })).map((name) => join(folder, name)),
];
const modesIn = async (folder: string): Promise<Set<string>> =>
  new Set(
    await Promise.all(
      (await pathsIn(folder)).map(async (path) => ((await stat(path)).mode & 0o777).toString(8)),
    ),
  );

it("refuses a storage folder that is a link", async () => {
  await using stage = await stageNotebook(notebookText(["1"]));
  await symlink(stage.folder, join(stage.folder, ".sep-notebook"));
  const { status, stderr } = sep("notebook", "run", stage.path);
  expect([status, stderr]).toEqual([expect.any(Number), expect.stringContaining("unsafe-folder")]);
  expect(status).not.toBe(0);
});

eachSampled([
  ["leaves the process", "process.exit(0);", "exit code 0"],
  ["runs out of memory", "const all = [];\nfor (;;) all.push(new Array(1e5).fill(all.length));", "memory"],
])("fails when a cell %s, and leaves no cell waiting", async (_name, source, how) => {
  await using stage = await stageNotebook(notebookText([source, "const second = 2;", "# text", "second"]));
  const { status, stdout } = spawnSync(process.execPath, [CLI, "notebook", "run", stage.path, "--json"], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "--max-old-space-size=96" },
  });
  const events = lines(stdout);
  expect(status).toBe(1);
  expect(events.at(-1)).toMatchObject({
    ok: false,
    failed: [1, 2, 4],
    counts: { error: 1, interrupted: 2, done: 1 },
  });
  expect(events.find(({ cell }) => cell === 1).state.error.message).toMatch(
    new RegExp(`^The kernel ended \\(.*${how}.*\\) while the cell ran\\.$`),
  );
  expect(events.find(({ cell }) => cell === 4).state).toMatchObject({
    status: "interrupted",
    message: expect.stringContaining("before the cell could run"),
  });
});

it.runIf(process.platform === "linux")(
  "hands the browser a file of its owner's, with no token among the arguments",
  async () => {
    await using stage = await stageNotebook(notebookText(["1"]));
    const programs = join(stage.folder, "programs");
    await mkdir(programs);
    // what another user sees with ps, and what the file is; then the browser's part
    await writeFile(
      join(programs, "xdg-open"),
      `#!/bin/sh\ntr '\\0' ' ' < /proc/self/cmdline > "$0.ps"\necho "$@" > "$0.arguments"\nfile="\${1#file://}"\nstat -c '%a' "$file" "$(dirname "$file")" > "$0.modes"\ncp "$file" "$0.html"\nmv "$0.html" "$0.done"\n`,
      { mode: 0o755 },
    );
    const child = spawn(process.execPath, [CLI, "edit", stage.path, "--port", "0"], {
      env: { ...process.env, DISPLAY: ":0", PATH: `${programs}:${process.env.PATH}` },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    try {
      let printed = "";
      child.stdout.on("data", (text) => {
        printed += text;
      });
      const at = (ending: string): string => join(programs, `xdg-open.${ending}`);
      await expect.poll(() => existsSync(at("done"))).toBe(true);
      const address = /http:\S+access_token=([\w-]+)/.exec(printed) as RegExpExecArray;
      const [whole = "", token = ""] = address;
      expect(token).toHaveLength(32);
      const seen = `${await readFile(at("ps"), "utf8")} ${await readFile(at("arguments"), "utf8")}`;
      expect(seen).toContain("/.sep-notebook/open-");
      expect(seen).not.toContain(token);
      expect((await readFile(at("modes"), "utf8")).split("\n").slice(0, 2)).toEqual(["600", "700"]);
      expect(await readFile(at("done"), "utf8")).toContain(`content="0;url=${whole}"`);
      // used once, and gone
      const file = (await readFile(at("arguments"), "utf8")).trim().replace("file://", "");
      expect(existsSync(file)).toBe(true);
      expect((await fetch(whole)).status).toBe(200);
      await expect.poll(() => existsSync(file)).toBe(false);
    } finally {
      child.kill("SIGINT");
      await ended;
    }
  },
);

it("fails when a cell fails, names the line, and says what is missing how to get it", async () => {
  await using stage = await stageNotebook(
    notebookText([
      'const a: number = 1;\n\nthrow new TypeError("no");',
      "const b = a;",
      'import x from "not-installed-here";',
    ]),
  );
  const { status, stdout } = sep("notebook", "run", stage.path, "--json");
  const events = lines(stdout);
  expect(status).toBe(1);
  expect(events.at(-1)).toMatchObject({ kind: "result", ok: false, failed: [1, 2, 3] });
  expect(events.find(({ cell }) => cell === 1).state.error).toMatchObject({
    message: "TypeError: no",
    line: 3,
  });
  expect(events.find(({ cell }) => cell === 3).state.error.message).toContain(
    "`npm install not-installed-here`",
  );
  expect(sep("notebook", "run", join(stage.folder, "none.html")).stderr).toContain("missing-input");
});

it("checks without running", async () => {
  await using stage = await stageNotebook(
    notebookText([
      "const a = b;",
      "const b = a;",
      "const c = 1;\nconst d = typo + c;",
      "const c = 2;",
      "globalThis.ran = console",
    ]),
  );
  const { status, stdout } = sep("notebook", "check", stage.path, "--json");
  expect(status).toBe(1);
  const { findings } = lines(stdout)[0];
  expect(
    findings.map(({ cell, message }: { cell: number; message: string }) => [cell, message.slice(0, 30)]),
  ).toEqual([
    [1, expect.stringMatching(/^Cells . → . → . depend on each/)],
    [2, expect.stringMatching(/^Cells . → . → . depend on each/)],
    [3, "c is also defined in cell 4, e"],
    [4, "c is also defined in cell 3, e"],
  ]);
  for (const name of ["probe_training_auto", "analysis"]) {
    expect(
      sep("notebook", "check", fileURLToPath(new URL(`../../../notebooks/${name}.html`, import.meta.url)))
        .status,
    ).toBe(0);
  }
});

it("refuses to serve without a token where others reach it", async () => {
  await using stage = await stageNotebook(notebookText(["1"]));
  const { status, stderr } = sep("edit", stage.path, "--no-token", "--host", "0.0.0.0", "--no-open");
  expect([status, stderr]).toEqual([2, expect.stringContaining("--let-anyone-in")]);
});
