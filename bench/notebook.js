/**
 * How long a reader waits: from `sep edit` until the page can be typed into, and from a moved slider until what depends
 * on it is on the page. Needs Chromium (CHROMIUM names it).
 *
 *   npm run bench:notebook
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const STARTS = 7;
const MOVES = 100;
const CELLS = 200;
const CLI = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

const folder = await mkdtemp(join(tmpdir(), "sep-bench-"));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const small = await write("small.html", [
    'const k = view(ui.slider({ min: 0, max: 1000, value: 0, label: "K" }));',
    "const double = k * 2;",
    "'double ' + double",
  ]);
  const large = await write("large.html", [
    'const c1 = view(ui.slider({ min: 0, max: 1000, value: 0, label: "K" }));',
    ...Array.from({ length: CELLS - 1 }, (_, at) => `const c${at + 2} = c${at + 1} + 1;\nc${at + 2}`),
  ]);
  for (const [name, path] of [
    ["3 cells", small],
    [`${CELLS} cells`, large],
  ]) {
    const times = [];
    for (let start = 0; start < STARTS; start += 1) times.push(await measureStart(path));
    report(`sep edit, ${name}: until the page can be typed into`, times);
  }
  report(
    "slider moved, 2 cells depend on it: until the page shows them",
    await measureSlider(small, 3, (k) => `double ${2 * k}`),
  );
  report(
    `slider moved, ${CELLS - 1} cells depend on it in a chain`,
    await measureSlider(large, CELLS, (k) => String(k + CELLS - 1)),
  );
} finally {
  await browser.close();
  await rm(folder, { recursive: true, force: true });
}

async function write(name, sources) {
  const cells = sources.map(
    (source, at) => `<script id="${at + 1}" type="text/x-typescript" pinned>\n${source}\n</script>`,
  );
  const path = join(folder, name);
  await writeFile(
    path,
    `<!doctype html>\n<notebook>\n<title>Bench</title>\n${cells.join("\n")}\n</notebook>\n`,
  );
  return path;
}

/** Starts the command as a user does; resolves with the page's address. */
function edit(path) {
  const child = spawn(process.execPath, [CLI, "edit", path, "--port", "0", "--no-open", "--no-token"]);
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (data) => {
      text += data;
      const address = /http:\S+/.exec(text)?.[0];
      if (address !== undefined) resolve({ child, address });
    });
    child.once("exit", (code) => reject(new Error(`sep edit ended with ${code}`)));
  });
}

async function measureStart(path) {
  const startMs = performance.now();
  const { child, address } = await edit(path);
  const page = await browser.newPage();
  await page.goto(address);
  await page.locator(".cm-content").first().click();
  await page.locator(".cm-focused").waitFor();
  const durationMs = performance.now() - startMs;
  await page.close();
  child.kill("SIGKILL");
  return durationMs;
}

async function measureSlider(path, lastCell, expected) {
  const { child, address } = await edit(path);
  const page = await browser.newPage();
  await page.goto(address);
  await page.getByRole("button", { name: "Run notebook" }).click();
  await page.waitForFunction(
    (id) => document.querySelector(`[data-id="${id}"]`)?.dataset.status === "done",
    lastCell,
  );
  const times = [];
  for (let move = 1; move <= MOVES; move += 1) {
    // inside the page, so that no round trip of the browser's driver is counted
    times.push(
      await page.evaluate(
        ([id, value, wanted]) =>
          new Promise((resolve) => {
            const input = document.querySelector("input[type=range]");
            const outputs = document.querySelector(`[data-id="${id}"] .outputs`);
            const startMs = performance.now();
            const observer = new MutationObserver(() => {
              if (outputs.textContent !== wanted) return;
              observer.disconnect();
              resolve(performance.now() - startMs);
            });
            observer.observe(outputs, { childList: true, subtree: true, characterData: true });
            input.value = String(value);
            input.dispatchEvent(new Event("input"));
          }),
        [lastCell, move, expected(move)],
      ),
    );
  }
  await page.close();
  child.kill("SIGKILL");
  return times;
}

function report(name, times) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(0);
  console.log(`${name}: median ${at(0.5)} ms, p95 ${at(0.95)} ms (${times.length} times)`);
}
