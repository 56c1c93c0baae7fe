import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildDatasets } from "../src/study/steps/build-datasets.ts";
import { evaluateProbes } from "../src/study/steps/evaluate-probes.ts";
import { trainProbes } from "../src/study/steps/train-probes.ts";
import { writeReport } from "../src/study/steps/write-report.ts";
import type { Workspace } from "../src/study/workspace.ts";
import { eachSampled } from "./each-sampled.ts";
import { makeTransfer } from "./fakes/make-transfer.ts";
import { writeStudy } from "./fakes/write-study.ts";

/** Debian's package, or what the environment names; CI installs it. */
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const VIEWS = [
  { name: "desktop, light", width: 1200, colorScheme: "light" },
  { name: "desktop, dark", width: 1200, colorScheme: "dark" },
  { name: "phone, light", width: 375, colorScheme: "light" },
  { name: "phone, dark", width: 375, colorScheme: "dark" },
] as const;

/** Each with a chart, a table or questions below it. */
const HEADINGS = [
  "Checks",
  "How well each score finds wrong answers",
  "What a probe adds",
  "Is the probe better than a score?",
  "ROC curves",
  "Precision and recall",
  "Risk and coverage",
  "When to answer",
  "Do the probabilities mean what they say?",
  "Which layers and positions work",
  "Semantic entropy",
  "What semantic entropy cannot see",
  "Transfer to other data sets",
  "Three test questions",
  "Warnings",
  "Settings and provenance",
];

describe.skipIf(!existsSync(CHROMIUM))("the report in Chromium", () => {
  let root: string;
  let workspace: Workspace;
  let browser: Browser;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sep-report-"));
    workspace = await writeStudy(root);
    const evaluate = evaluateProbes(workspace, { resamples: 200, permutations: 99 });
    for (const step of [buildDatasets(workspace), trainProbes(workspace), evaluate])
      for await (const _event of step);
    await writeFile(workspace.transfer, JSON.stringify(makeTransfer()));
    for await (const _event of writeReport(workspace));
    // root may not use Chromium's sandbox, and CI is root
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  });
  afterAll(async () => {
    await browser.close();
    await rm(root, { recursive: true, force: true });
  });

  eachSampled(VIEWS.map((view) => [view.name, view] as const))(
    "shows its parts, asks for nothing and fits: %s",
    async (_name, { width, colorScheme }) => {
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
      const complaints: string[] = [];
      const requests: string[] = [];
      page.on("console", (message) => complaints.push(message.text()));
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("request", (request) => requests.push(request.url()));
      const url = pathToFileURL(workspace.report).href;
      await page.goto(url);
      expect(complaints).toEqual([]);
      expect(requests, "one file and nothing else").toEqual([url]);

      expect(await page.locator("h1").count()).toBe(1);
      for (const heading of HEADINGS) {
        expect(await page.getByRole("heading", { name: heading, exact: true }).count(), heading).toBe(1);
      }
      const charts = await page.locator("figure svg[role=img]").all();
      expect(charts.length).toBeGreaterThanOrEqual(4);
      for (const chart of charts) {
        const box = await chart.boundingBox();
        expect(box?.width ?? 0).toBeGreaterThan(150);
        expect(box?.height ?? 0).toBeGreaterThan(80);
      }
      expect(await findFaults(page)).toEqual([]);
      const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(overflow, "pixels that stick out to the right").toBeLessThanOrEqual(0);
      await page.close();
    },
  );

  it("opens the reasoning of an uncertain question by keyboard", async () => {
    const page = await browser.newPage();
    await page.goto(pathToFileURL(workspace.report).href);
    const closed = page.locator("details:not([open]) > summary").first();
    await closed.focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator("details[open]").count()).toBeGreaterThan(0);
    await page.close();
  });

  it("draws each figure as a file too", async () => {
    const folder = join(workspace.report, "..", "figures");
    const drawings = (await readdir(folder)).filter((name) => name.endsWith(".svg"));
    const page = await browser.newPage();
    await page.goto(pathToFileURL(workspace.report).href);
    expect(await page.locator("figure").count()).toBe(drawings.length);
    for (const name of drawings) {
      await page.goto(pathToFileURL(join(folder, name)).href);
      expect(await page.evaluate("document.documentElement.localName"), name).toBe("svg");
      expect(await page.evaluate("document.documentElement.getBBox().width"), name).toBeGreaterThan(150);
    }
    await page.close();
  });
});

/** Rules of axe that are broken, each with the first place where. */
async function findFaults(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const faults = await page.evaluate("axe.run().then(({ violations }) => violations)");
  return (faults as Fault[]).map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html}`);
}

/** What is used of a violation that axe finds. */
interface Fault {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string }[];
}
