import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { notebookText, stageNotebook } from "./fakes/open-notebook.ts";

const CLI = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const sep = (...args: readonly string[]) => spawnSync(process.execPath, [CLI, ...args], { encoding: "utf8" });
const lines = (text: string) =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

it("runs a notebook as a script, with arguments, local files, this package and a cache", async () => {
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
  expect(await readFile(page, "utf8")).toContain("<h1>Script</h1>");
});

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
    [1, expect.stringMatching(/^Cells . → . → . need/)],
    [2, expect.stringMatching(/^Cells . → . → . need/)],
    [3, "c is also defined in cell 4, e"],
    [4, "c is also defined in cell 3, e"],
  ]);
  for (const name of ["probe_training_auto", "analysis"]) {
    expect(
      sep("notebook", "check", fileURLToPath(new URL(`../notebooks/${name}.html`, import.meta.url))).status,
    ).toBe(0);
  }
});

it("refuses to serve without a token where others reach it", async () => {
  await using stage = await stageNotebook(notebookText(["1"]));
  const { status, stderr } = sep("edit", stage.path, "--no-token", "--host", "0.0.0.0", "--no-open");
  expect([status, stderr]).toEqual([2, expect.stringContaining("--let-anyone-in")]);
});
