/**
 * The pictures of a report in README.md, in light and dark, of `sep run --example trivia`: `npm run docs:report-pictures`, or
 * with `-- --model FILE.gguf` for a copy of its model, or `-- --study DIR` for a run that is there already.
 * Needs Chromium (CHROMIUM names it).
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const SEP = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const { values } = parseArgs({ options: { model: { type: "string" }, study: { type: "string" } } });

const folder = mkdtempSync(join(tmpdir(), "sep-report-pictures-"));
const study = values.study ?? folder;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const model = values.model === undefined ? [] : ["--model", values.model];
  if (values.study === undefined)
    execFileSync(process.execPath, [SEP, "run", "--example", "trivia", ...model, "--out", study], {
      stdio: "inherit",
    });
  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({ viewport: { width: 1100, height: 1000 }, colorScheme });
    await page.goto(pathToFileURL(join(study, "artifacts", "report.html")).href);
    const path = fileURLToPath(new URL(`report-${colorScheme}.png`, import.meta.url));
    await page.screenshot({ path });
    await page.close();
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
