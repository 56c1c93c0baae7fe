/**
 * The pictures of docs/page.md and the recording in README.md, taken of the real thing: `npm run docs:page-pictures`.
 * Needs Chromium (CHROMIUM names it).
 */
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));
const UNSURE = "Evaluate 407 - 969 - 681.";
const FORKING = "What is 838 - 66?";
const MOST_BYTES = 1_500_000;

const child = spawn(process.execPath, [`${ROOT}dist/cli/main.js`, "page", "--port", "0", "--quiet"], {
  stdio: ["ignore", "pipe", "inherit"],
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const address = await readAddress();
  await picture("page-wide.png", { width: 1400, height: 1000, colorScheme: "light", question: UNSURE });
  await picture("page-dark.png", { width: 1400, height: 1000, colorScheme: "dark", question: FORKING });
  await picture("page-phone.png", { width: 390, height: 1560, colorScheme: "light", question: FORKING });
  const bytes = await encodeGif(await record(address));
  if (bytes.length > MOST_BYTES)
    throw new Error(`The recording takes ${bytes.length} bytes, at most ${MOST_BYTES}.`);
  await writeFile(pathOf("see-doubt.gif"), bytes);

  async function picture(name, { question, colorScheme, ...viewport }) {
    const page = await browser.newPage({ viewport, colorScheme, reducedMotion: "reduce" });
    await page.goto(`${address}#q=${encodeURIComponent(question)}&token=-1`);
    await page.locator(".fork svg").waitFor();
    // once more: the first answer waits for the browser's compiler
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    await page.locator(".fork svg").waitFor({ state: "detached" });
    await page.locator(".fork svg").waitFor();
    await page.screenshot({ path: pathOf(name) });
    await page.close();
  }
} finally {
  await browser.close();
  child.kill();
}

/** A question is asked, tokens are chosen, the threshold is moved. @returns frames as base64 PNG, each with its milliseconds */
async function record(address) {
  const frames = [];
  const page = await browser.newPage({ viewport: { width: 1120, height: 860 }, colorScheme: "light" });
  const take = async (ms) => frames.push({ ms, png: (await page.screenshot()).toString("base64") });
  const grow = async () => {
    await page.locator(".fork svg").waitFor();
    for (let step = 0; step < 4; step++) await take(110);
    await page.waitForTimeout(500);
    await take(1600);
  };
  await page.goto(address);
  await page.locator(".chip").first().waitFor();
  await take(900);
  for (const part of FORKING.match(/.{1,4}/g)) {
    await page.getByLabel("Question").pressSequentially(part);
    await take(90);
  }
  await page.keyboard.press("Enter");
  while (!(await page.locator(".judged").isVisible())) await take(140);
  await grow();
  for (const token of [3, 8]) {
    await page.locator(".token").nth(token).click();
    await grow();
  }
  await page.locator(".col.read i").first().click();
  await grow();
  await page.getByLabel("Highest risk").scrollIntoViewIfNeeded();
  await page.mouse.wheel(0, 420);
  await page.waitForTimeout(300);
  await take(900);
  for (let step = 0; step < 5; step++) {
    for (let press = 0; press < 6; press++) await page.getByLabel("Highest risk").press("ArrowRight");
    await page.waitForTimeout(60);
    await take(200);
  }
  await take(2200);
  await page.close();
  return frames;
}

async function encodeGif(frames) {
  const { outputFiles } = await build({
    entryPoints: [pathOf("encode-frames.js")],
    bundle: true,
    format: "iife",
    write: false,
  });
  const page = await browser.newPage();
  await page.addScriptTag({ content: outputFiles[0].text });
  const encoded = await page.evaluate((all) => globalThis.encodeFrames(all), frames);
  await page.close();
  return Buffer.from(encoded, "base64");
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
