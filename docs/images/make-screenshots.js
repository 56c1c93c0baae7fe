/**
 * The pictures of docs/notebook.md, taken of the real thing: `npm run docs:screenshots`.
 * Needs Chromium (CHROMIUM names it).
 */
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const pathOf = (name) => fileURLToPath(new URL(`${name}.png`, import.meta.url));

// a folder of its own, in which the package is installed: nothing is written beside the shipped notebook
const folder = await mkdtemp(join(tmpdir(), "sep-pictures-"));
const notebook = join(folder, "probe_training_auto.html");
await cp(join(ROOT, "notebooks/probe_training_auto.html"), notebook);
await mkdir(join(folder, "node_modules"));
await symlink(ROOT, join(folder, "node_modules/semantic-entropy-probes"));
const child = spawn(
  process.execPath,
  [join(ROOT, "dist/cli/main.js"), "edit", notebook, "--port", "0", "--no-open", "--no-token"],
  { stdio: ["ignore", "pipe", "inherit"] },
);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 760 }, colorScheme: "light" });
  await page.goto(await readAddress());
  await page.getByRole("button", { name: "Run notebook" }).click();
  await page.getByRole("button", { name: "Sample answers" }).waitFor();
  await show(page, 4, 120);
  await page.locator('[data-id="4"] .fold-line').click();
  await page.getByRole("button", { name: "Sample answers" }).click();
  await page.waitForFunction(() => {
    const bar = document.querySelector('[data-id="6"] .progress');
    return bar?.textContent.includes("generate") && Number(bar.querySelector("progress").value) > 0.25;
  });
  await page.locator('[data-id="6"] .status').click();
  await page.keyboard.press("g");
  await page.screenshot({ path: pathOf("notebook-sampling") });
  await page.keyboard.press("g");
  await page.getByRole("button", { name: "Train probes" }).click({ timeout: 120_000 });
  await page.waitForFunction(
    () => document.querySelector('[data-id="20"]')?.dataset.status === "done",
    null,
    {
      timeout: 120_000,
    },
  );
  await page.emulateMedia({ colorScheme: "dark" });
  await show(page, 18, 80);
  await page.screenshot({ path: pathOf("notebook-results-dark") });
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 760 });
  await show(page, 4, 140);
  await page.screenshot({ path: pathOf("notebook-phone") });
} finally {
  await browser.close();
  child.kill();
  await rm(folder, { recursive: true, force: true });
}

/** Scrolls so that a cell stands a bit below the upper edge. */
async function show(page, id, above) {
  await page.evaluate(
    ([cell, offset]) => {
      const { top } = document.querySelector(`[data-id="${cell}"]`).getBoundingClientRect();
      window.scrollBy(0, top - offset);
    },
    [id, above],
  );
  await page.waitForTimeout(400);
}

function readAddress() {
  return new Promise((resolve) => {
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
      const address = /http:\S+/.exec(text)?.[0];
      if (address !== undefined) resolve(address);
    });
  });
}
