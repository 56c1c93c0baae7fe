import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildDatasets } from "../src/pipeline/build-datasets.ts";
import { evaluateProbes } from "../src/pipeline/evaluate-probes.ts";
import { trainProbes } from "../src/pipeline/train-probes.ts";
import type { Workspace } from "../src/pipeline/workspace.ts";
import { writeStudy } from "./fakes/write-study.ts";

/** Debian's package, or what the environment names; CI installs it. */
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const VIEWS = [
  { name: "desktop, light", width: 1200, colorScheme: "light" },
  { name: "desktop, dark", width: 1200, colorScheme: "dark" },
  { name: "phone, light", width: 375, colorScheme: "light" },
] as const;

describe.skipIf(!existsSync(CHROMIUM))("the report in Chromium", () => {
  let root: string;
  let workspace: Workspace;
  let browser: Browser;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sep-report-"));
    workspace = await writeStudy(root);
    for (const step of [buildDatasets(workspace), trainProbes(workspace), evaluateProbes(workspace)]) {
      while (!(await step.next()).done);
    }
    // root may not use Chromium's sandbox, and CI is root
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  });
  afterAll(async () => {
    await browser.close();
    await rm(root, { recursive: true, force: true });
  });

  it.each(VIEWS)("shows its parts, asks for nothing and fits: $name", async ({ width, colorScheme }) => {
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
    for (const heading of ["ROC curves", "Where in the model it can be read", "Semantic entropy"]) {
      expect(await page.getByRole("heading", { name: heading, exact: true }).count(), heading).toBe(1);
    }
    const charts = await page.locator("figure svg[role=img]").all();
    expect(charts.length).toBeGreaterThanOrEqual(4);
    for (const chart of charts) {
      const box = await chart.boundingBox();
      expect(box?.width ?? 0).toBeGreaterThan(150);
      expect(box?.height ?? 0).toBeGreaterThan(80);
    }
    const overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
    expect(overflow, "pixels that stick out to the right").toBeLessThanOrEqual(0);
    await page.close();
  });

  it("opens the reasoning of an uncertain question by keyboard", async () => {
    const page = await browser.newPage();
    await page.goto(pathToFileURL(workspace.report).href);
    const closed = page.locator("details:not([open]) > summary").first();
    await closed.focus();
    await page.keyboard.press("Enter");
    expect(await page.locator("details[open]").count()).toBeGreaterThan(0);
    await page.close();
  });
});
