import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type NotebookStage, notebookText, stageNotebook } from "./stage-notebook.ts";

/** Debian's package, or what the environment names; CI installs it. */
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Counts its own runs in the kernel, so that a test sees what ran again. */
const counted = (name: string, expression: string): string =>
  `const ${name} = ${expression};\nglobalThis.runs_${name} = (globalThis.runs_${name} ?? 0) + 1;\n\`${name} \${${name}} run \${globalThis.runs_${name}}\``;

const SOURCES = [
  "# Stage",
  'const k = view(ui.slider({ min: 1, max: 10, value: 3, label: "K" }));',
  counted("double", "k * 2"),
  counted("above", "double + 1"),
  counted("alone", "1"),
];

describe.skipIf(!existsSync(CHROMIUM))("the notebook in Chromium", () => {
  let browser: Browser;
  let stage: NotebookStage;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    // root may not use Chromium's sandbox, and CI is root
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    complaints.length = 0;
    page = await newPage();
  });
  afterEach(async () => {
    await page.context().close();
    vi.unstubAllEnvs();
    await stage[Symbol.asyncDispose]();
    expect(complaints).toEqual([]);
  });

  async function newPage(): Promise<Page> {
    const context = await browser.newContext({ viewport: { width: 1200, height: 1000 } });
    const made = await context.newPage();
    made.setDefaultTimeout(15_000);
    made.on("console", (message) => {
      if (message.type() === "error" && !/ERR_CONNECTION|409|Failed to load resource/.test(message.text()))
        complaints.push(message.text());
    });
    made.on("pageerror", (error) => complaints.push(error.message));
    return made;
  }
  const cell = (id: number, on: Page = page): Locator => on.locator(`section[data-id="${id}"]`);
  // markup stands in shadow roots, which the outputs' own text leaves out
  const text = async (id: number, on: Page = page): Promise<string> =>
    (await cell(id, on).locator(".outputs :is(.text, .log, .markup)").allInnerTexts()).join("\n");
  const status = (id: number): Promise<string | null> => cell(id).getAttribute("data-status");
  async function open(sources: readonly string[], options: Parameters<NotebookStage["open"]>[0] = {}) {
    stage = await stageNotebook(notebookText(sources));
    const session = await stage.open(options);
    const server = await stage.serve(session);
    await page.goto(server.address);
    await cell(sources.length).waitFor();
    return { session, server };
  }
  async function type(id: number, source: string): Promise<void> {
    await cell(id).locator(".cm-content").click();
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.insertText(source);
  }

  it("runs nothing on open; a moved slider runs what depends on it and nothing else", async () => {
    const { session } = await open(SOURCES);
    expect(await status(3)).toBe("idle");
    expect(await page.getByRole("heading", { name: "Stage" }).count()).toBe(1);
    await page.getByRole("button", { name: "Run notebook" }).click();
    await expect.poll(() => text(4)).toBe("above 7 run 1");
    await page.getByRole("slider").focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => text(4)).toBe("above 9 run 2");
    await expect.poll(() => text(3)).toBe("double 8 run 2");
    await expect.poll(() => text(5)).toBe("alone 1 run 1");
    expect(session.stateOf(2).runs).toBe(1);
    // the slider keeps the focus while what it moved runs
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => text(4)).toBe("above 11 run 3");
  });

  it("edits a cell, shows a syntax error where it is, and recovers; the file changes in that cell only", async () => {
    await open(SOURCES);
    await page.getByRole("button", { name: "Run notebook" }).click();
    await expect.poll(() => text(4)).toBe("above 7 run 1");
    await type(3, "const double = k *;");
    await page.keyboard.press("ControlOrMeta+Enter");
    await expect.poll(() => cell(3).locator(".error").innerText()).toContain("line 1: SyntaxError");
    await expect.poll(() => cell(3).locator(".error-line").innerText()).toBe("const double = k *;");
    await expect.poll(() => status(4)).toBe("blocked");
    await type(3, "const double = k * 100;");
    await page.keyboard.press("ControlOrMeta+Enter");
    await expect.poll(() => text(4)).toContain("above 301");
    await expect.poll(() => cell(3).locator(".error").isVisible()).toBe(false);
    const changed = notebookText(SOURCES.with(2, "const double = k * 100;"));
    await expect.poll(() => readFile(stage.path, "utf8")).toBe(changed);
  });

  it("shows a moving progress bar behind a run button, stops it, and keeps results as stale when an input moves", async () => {
    await open([
      'const n = view(ui.slider({ min: 1, max: 9, value: 2, label: "N" }));',
      'const go = view(ui.runButton({ label: "Sample" }));',
      'stop(!go, "Press Sample.");\nfor await (const each of progress(Array.from({ length: 30 }, (_, i) => i), { label: "Sampling" })) await new Promise((done) => setTimeout(done, 60));\nconst drawn = n * 10;\ndrawn',
    ]);
    await page.getByRole("button", { name: "Run notebook" }).click();
    await expect.poll(() => cell(3).locator(".notice").innerText()).toBe("Press Sample.");
    await page.getByRole("button", { name: "Sample", exact: true }).click();
    const bar = cell(3).locator("progress");
    const seen: number[] = [];
    await expect
      .poll(
        async () => {
          seen.push(
            await bar.evaluate((node) => (node as unknown as { value: number }).value).catch(() => 0),
          );
          return text(3);
        },
        { interval: 60 },
      )
      .toBe("20");
    expect(new Set(seen.filter((value) => value > 0 && value < 1)).size).toBeGreaterThan(1);
    await page.getByRole("slider").focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => status(3)).toBe("stale");
    expect(await text(3)).toBe("20");
    await page.getByRole("button", { name: "Sample", exact: true }).click();
    await expect.poll(() => status(3)).toBe("running");
    await page.getByRole("button", { name: "Stop" }).click();
    await expect.poll(() => status(3)).toBe("interrupted");
  });

  it("keeps typed text through a reload and a restart of the server", { tags: ["long"] }, async () => {
    const { session } = await open(SOURCES);
    await type(5, "const alone = 'typed';");
    await page.reload();
    await expect.poll(() => cell(5).locator(".cm-content").innerText()).toBe("const alone = 'typed';");
    await expect.poll(() => session.cells()[4]?.draft?.text).toBe("const alone = 'typed';");
    // another port is another origin: what the browser keeps is out of reach, and the server has it
    await stage.close();
    const again = await stage.serve(await stage.open());
    await page.goto(again.address);
    await expect.poll(() => cell(5).locator(".cm-content").innerText()).toBe("const alone = 'typed';");
    await expect.poll(() => page.getByRole("button", { name: "1 unsaved" }).count()).toBe(1);
    await page.keyboard.press("ControlOrMeta+s");
    await expect.poll(() => readFile(stage.path, "utf8")).toContain("const alone = 'typed';");
    await expect.poll(() => page.getByRole("button", { name: /unsaved/ }).isVisible()).toBe(false);
  });

  it("takes over what others write, by cell, and asks where both changed one", {
    tags: ["long"],
  }, async () => {
    await open(SOURCES);
    await type(5, "const alone = 'mine';");
    await writeFile(stage.path, notebookText(SOURCES.with(3, "const above = 'theirs';")));
    await expect.poll(() => cell(4).locator(".cm-content").innerText()).toBe("const above = 'theirs';");
    expect(await cell(5).locator(".cm-content").innerText()).toBe("const alone = 'mine';");
    await writeFile(stage.path, notebookText(SOURCES.with(4, "const alone = 'other';")));
    await expect.poll(() => cell(5).locator(".conflict").isVisible()).toBe(true);
    expect(await cell(5).locator(".cm-content").innerText()).toBe("const alone = 'mine';");
    await page.getByRole("button", { name: "Keep mine" }).click();
    await page.keyboard.press("ControlOrMeta+s");
    await expect.poll(() => readFile(stage.path, "utf8")).toContain("const alone = 'mine';");
  });

  it("keeps two pages in step: edits, inputs, results", { tags: ["long"] }, async () => {
    const { server } = await open(SOURCES);
    const other = await newPage();
    await other.goto(server.address);
    await page.getByRole("button", { name: "Run notebook" }).click();
    await expect.poll(() => text(4, other)).toBe("above 7 run 1");
    await page.getByRole("slider").focus();
    await page.keyboard.press("End");
    await expect.poll(() => text(4, other)).toContain("above 21");
    await expect.poll(() => other.getByRole("slider").inputValue()).toBe("10");
    await type(5, "const alone = 5;\nalone");
    await page.keyboard.press("ControlOrMeta+Enter");
    await expect.poll(() => text(5, other)).toBe("5");
    await expect
      .poll(() => cell(5, other).locator(".cm-content").innerText())
      .toBe("const alone = 5;\nalone");
    await other.context().close();
  });

  it("survives a kernel that is killed", async () => {
    await open([...SOURCES, "const pid = process.pid;\npid"]);
    await page.getByRole("button", { name: "Run notebook" }).click();
    await expect.poll(() => text(6)).toMatch(/^\d+$/);
    process.kill(Number(await text(6)), "SIGKILL");
    await expect.poll(() => status(4)).toBe("stale");
    await expect.poll(() => page.locator(".toast").first().innerText()).toContain("SIGKILL");
    await page.getByRole("button", { name: /Run stale/ }).click();
    await expect.poll(() => status(4)).toBe("done");
    await expect.poll(() => text(4)).toBe("above 7 run 1");
  });

  it("ends the cells that waited when a cell ends the kernel, says why, and runs them afterwards", async () => {
    await open([
      "const first = 1;\nprocess.exit(3);",
      "const second = first + 1;\nsecond",
      "const third = 3;\nthird",
    ]);
    await page.getByRole("button", { name: "Run notebook" }).click();
    await expect.poll(() => status(1)).toBe("error");
    await expect
      .poll(() => cell(1).locator(".error").innerText())
      .toBe("The kernel ended (exit code 3) while the cell ran.");
    for (const id of [2, 3]) {
      await expect.poll(() => status(id)).toBe("interrupted");
      await expect
        .poll(() => cell(id).locator(".notice").innerText())
        .toBe("The kernel ended (exit code 3) before the cell could run.");
    }
    await expect.poll(() => page.getByRole("button", { name: "Stop" }).isVisible()).toBe(false);
    await type(1, "const first = 1;");
    await page.keyboard.press("ControlOrMeta+Enter");
    await expect.poll(() => text(2)).toBe("2");
    await page.getByRole("button", { name: /Run stale/ }).click();
    await expect.poll(() => text(3)).toBe("3");
    await expect.poll(() => cell(3).locator(".notice").isVisible()).toBe(false);
  });

  it("brings a deleted cell of a foreign type back as it was, with what was typed into it", {
    tags: ["long"],
  }, async () => {
    const foreign = notebookText(["const a = 1;", "PLACE"]).replace(
      / {2}<script id="2"[\s\S]*?<\/script>/,
      `  <script type='text/x-python' data-note="a>b" id=2 hidden>\n\t  import this\n\n  </script>`,
    );
    stage = await stageNotebook(foreign);
    const server = await stage.serve(await stage.open());
    await page.goto(server.address);
    await cell(2).waitFor();
    await cell(2).locator(".fold-line").click();
    await type(2, "import that");
    await cell(2).locator(".status").click();
    await page.keyboard.press("d");
    await page.keyboard.press("d");
    await expect.poll(() => cell(2).count()).toBe(0);
    await expect.poll(() => readFile(stage.path, "utf8")).not.toContain("x-python");
    await page.getByRole("button", { name: "Undo" }).click();
    await expect.poll(() => readFile(stage.path, "utf8")).toBe(foreign);
    await expect.poll(() => cell(2).locator(".cm-content").innerText()).toBe("import that");
    await expect.poll(() => page.getByRole("button", { name: "1 unsaved" }).count()).toBe(1);
  });

  it("starts the kernel again when asked, with the inputs where they were", { tags: ["long"] }, async () => {
    await open([...SOURCES, "const pid = process.pid;\npid"]);
    await page.getByRole("button", { name: "Run notebook" }).click();
    await expect.poll(() => text(6)).toMatch(/^\d+$/);
    const before = await text(6);
    await page.getByRole("slider").fill("9");
    await expect.poll(() => text(4)).toMatch(/^above 19 /);
    await page.getByRole("button", { name: "Restart the kernel" }).click();
    await expect.poll(() => status(6)).toBe("stale");
    await page.getByRole("button", { name: /Run stale/ }).click();
    await expect.poll(() => status(6)).toBe("done");
    await expect.poll(() => text(6)).toMatch(/^\d+$/);
    await expect.poll(() => text(6)).not.toBe(before);
    await expect.poll(() => text(4)).toBe("above 19 run 1");
  });

  it("adds, moves and deletes cells by keyboard, and takes a deletion back", async () => {
    await open(SOURCES);
    await cell(5).locator(".status").click();
    await page.keyboard.press("b");
    await cell(6).locator(".cm-content").waitFor();
    await page.keyboard.insertText("const sixth = 6;\nsixth");
    await page.keyboard.press("Shift+Enter");
    await expect.poll(() => text(6)).toBe("6");
    await page.keyboard.press("Alt+ArrowUp");
    await expect
      .poll(() =>
        page
          .locator("section.cell")
          .evaluateAll((all) =>
            all.map((each) => (each as unknown as { dataset: { id: string } }).dataset.id).join(),
          ),
      )
      .toBe("1,2,3,4,6,5");
    await page.keyboard.press("d");
    await page.keyboard.press("d");
    await expect.poll(() => cell(6).count()).toBe(0);
    await page.getByRole("button", { name: "Undo" }).click();
    await expect.poll(() => readFile(stage.path, "utf8")).toContain("const sixth = 6;");
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await expect.poll(() => page.getByRole("dialog").isVisible()).toBe(true);
  });

  it("serves an app without code, whose inputs work", async () => {
    stage = await stageNotebook(notebookText(SOURCES));
    const session = await stage.open();
    session.run("all");
    const { address } = await stage.serve(session, { mode: "app", agent: null });
    await page.goto(address);
    await expect.poll(() => text(4)).toBe("above 7 run 1");
    expect(await page.locator(".cm-content, .code, header").count()).toBe(0);
    await page.getByRole("slider").focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => text(4)).toBe("above 9 run 2");
  });

  it("is quick with 200 cells", { tags: ["long"] }, async () => {
    await open([
      "const c1 = 1;",
      ...Array.from({ length: 199 }, (_, at) => `const c${at + 2} = c${at + 1} + 1;`),
    ]);
    // editors are made when they come into sight
    expect(await page.locator(".cm-editor").count()).toBeLessThan(80);
    await page.getByRole("button", { name: "Run notebook" }).click();
    await expect.poll(() => status(200)).toBe("done");
    await page.keyboard.press("g");
    await expect.poll(() => page.locator(".graph .node").count()).toBe(200);
  });

  it("trains a probe and explores the study in the shipped notebooks, in the dark and on a phone", {
    tags: ["long"],
  }, async () => {
    const readShipped = (name: string): Promise<string> =>
      readFile(new URL(`../../../notebooks/${name}.html`, import.meta.url), "utf8");
    vi.stubEnv("HF_HOME", join(tmpdir(), "sep-no-models"));
    await using training = await stageNotebook(await readShipped("probe_training_auto"));
    stage = training;
    const study = join(training.folder, "study");
    await mkdir(study, { recursive: true });
    const session = await training.open({ args: ["--k", "3", "--questions", "10", "--out", study] });
    const { address } = await training.serve(session);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.goto(address);
    await page.getByRole("button", { name: "Run notebook" }).click();
    await page.getByRole("button", { name: "Sample answers" }).click();
    await expect.poll(() => cell(6).locator(".progress-facts").innerText()).toMatch(/\d+ \/ 10/);
    await page.getByRole("button", { name: "Train probes" }).click({ timeout: 30_000 });
    await expect.poll(() => status(20)).toBe("done");
    await expect.poll(() => page.locator(".charts svg[aria-label]").count()).toBeGreaterThanOrEqual(3);
    expect(await page.locator(".cell[data-status=error]").count()).toBe(0);
    await page.setViewportSize({ width: 390, height: 844 });
    const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
    expect(overflow, "pixels that stick out to the right").toBeLessThanOrEqual(0);
    await page.setViewportSize({ width: 1200, height: 1000 });

    // the threshold decides which side a question is on and what the SE probe learns, and nothing before that
    const runsOf = (id: number): number => session.stateOf(id).runs;
    const before = { entropy: runsOf(12), sides: runsOf(23) };
    await cell(22).getByRole("slider").focus();
    await page.keyboard.press("ArrowRight");
    await expect.poll(() => runsOf(23)).toBe(before.sides + 1);
    await expect.poll(() => text(23)).toMatch(/of low entropy: [\s\S]+of high entropy: /);
    await expect.poll(() => status(17)).toBe("stale");
    expect(runsOf(12)).toBe(before.entropy);
    // a relation whose model is not here says so, and asks before it downloads
    await cell(11).getByRole("combobox").selectOption("nli");
    await expect.poll(() => cell(12).locator(".error").innerText()).toContain("press “Download that model”");
    await cell(11).getByRole("combobox").selectOption("exact");
    await expect.poll(() => status(23)).toBe("done");

    stage = await stageNotebook(await readShipped("analysis"));
    const exploring = await stage.open({ args: ["--out", study] });
    await page.goto((await stage.serve(exploring)).address);
    await page.getByRole("button", { name: "Run notebook" }).click();
    const picture = cell(16).locator("svg[aria-label='Hidden states in two dimensions']");
    await expect.poll(() => picture.innerHTML().catch(() => "")).toContain("% of the variance");
    const dots = await picture.locator("circle").count();
    expect(dots).toBeGreaterThanOrEqual(3);
    await expect.poll(() => cell(9).locator("svg circle, svg path").count()).toBeGreaterThanOrEqual(dots);
    await cell(11).getByLabel("Projection").selectOption("UMAP");
    await expect.poll(() => picture.innerHTML()).not.toContain("% of the variance");
    await expect.poll(() => picture.locator("circle").count()).toBe(dots);
    await cell(6).getByLabel("Answers").selectOption("right");
    await expect.poll(() => text(7)).toMatch(/^\d+ of \d+ answers\.$/);
    expect(await page.locator(".cell[data-status=error]").count()).toBe(0);
  });
});
