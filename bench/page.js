/**
 * The browser page: how long until it can be asked, tokens a second beside Node's on the same machine, and forks. Needs
 * Chromium (CHROMIUM names it).
 *
 *   npm run bench:page
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { loadModel } from "../dist/checkpoint/load-model.js";
import { buildPrompt, sampleAnswers } from "../dist/engine/engine.js";

const STARTS = 5;
const REPEATS = 8;
/** The page's own examples, from the surest to the least sure, whose continuations are longest. */
const QUESTIONS = ["Solve 3 * 9.", "Compute 5 * 59.", "How much is 892 - 705?", "Evaluate 407 - 969 - 681."];
const SAMPLER = { temperature: 0.6, topP: 0.9, topK: 0, minP: 0, repetitionPenalty: 1 };

/** When the download was complete, and when the first question could be asked. */
const MARK = `{
  const Own = Worker;
  globalThis.Worker = class extends Own {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data: { kind, step } }) => {
        if (step === "Downloading") globalThis.downloaded = performance.now();
        if (kind === "ready") globalThis.opened = performance.now();
      });
    }
  };
}`;

const child = spawn(
  process.execPath,
  [fileURLToPath(new URL("../dist/cli/main.js", import.meta.url)), "page", "--port", "0", "--quiet"],
  { stdio: ["ignore", "pipe", "inherit"] },
);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const address = await new Promise((resolve) =>
    child.stdout.once("data", (data) => resolve(String(data).trim())),
  );
  const [first, again] = [[], []];
  for (let start = 0; start < STARTS; start++) {
    const context = await browser.newContext();
    await context.addInitScript(MARK);
    first.push(await timeStart(context, address));
    again.push(await timeStart(context, address));
    await context.close();
  }
  const ms = (starts, name) => starts.map((each) => each[name]);
  report("page: from its address to the first question, with the download from here", ms(first, "all"), "ms");
  report("page: of that, after the download", ms(first, "opening"), "ms");
  report("page: the same from the browser's store", ms(again, "all"), "ms");

  const page = await browser.newPage();
  await page.addInitScript(`{
    const Own = Worker;
    globalThis.Worker = class extends Own {
      constructor(...given) { super(...given); globalThis.engine = this; }
    };
    let id = 1000;
    globalThis.request = (asked, until) => new Promise((resolve) => {
      const own = asked.id ?? ++id;
      const begun = performance.now();
      const listen = ({ data }) => {
        if (data.id !== own || data.kind !== until) return;
        engine.removeEventListener("message", listen);
        resolve({ ...data, ms: performance.now() - begun });
      };
      engine.addEventListener("message", listen);
      engine.postMessage({ ...asked, id: own });
    });
  }`);
  await page.goto(`${address}#engine=wasm`);
  await page.locator(".chip").first().waitFor();
  const rates = [];
  const forks = [];
  for (let repeat = 0; repeat < REPEATS; repeat++)
    for (const question of QUESTIONS) {
      const asked = JSON.stringify({ kind: "ask", question, seed: 42 + repeat });
      const { id, tokensPerSecond } = await page.evaluate(`request(${asked}, "answered")`);
      rates.push(tokensPerSecond);
      forks.push((await page.evaluate(`request({ kind: "fork", id: ${id}, at: -1 }, "forked")`)).ms);
    }
  report("page, WebAssembly: one answer with all layers and probes", rates, "tokens/s");
  report("page, WebAssembly: a fork of ten continuations, with meanings and entropy", forks, "ms");

  const model = await loadModel("pocket", { threads: 1 });
  const nodeRates = [];
  const nodeTens = [];
  const sampler = { ...SAMPLER, maxNewTokens: 160, stopStrings: [], stopTokenIds: [] };
  for (let repeat = 0; repeat < REPEATS; repeat++)
    for (const question of QUESTIONS)
      for (const [rows, into] of [
        [1, nodeRates],
        [10, nodeTens],
      ]) {
        const { tokenIds } = buildPrompt(model.tokenizer, question);
        const begun = performance.now();
        const answers = await sampleAnswers(model, tokenIds, {
          runIds: Array.from({ length: rows }, (_, run) => run),
          sampler,
          seed: 42 + repeat,
          streamKey: question,
        });
        const ms = performance.now() - begun;
        into.push(rows === 1 ? (1000 * answers[0].tokenIds.length) / ms : ms);
      }
  report("Node, one thread: one answer", nodeRates, "tokens/s");
  report("Node, one thread: ten answers", nodeTens, "ms");
  await model[Symbol.asyncDispose]();
} finally {
  await browser.close();
  child.kill();
}

async function timeStart(context, address) {
  const page = await context.newPage();
  const begun = performance.now();
  await page.goto(`${address}#engine=wasm`);
  await page.locator(".chip").first().waitFor();
  const all = performance.now() - begun;
  const opening = await page.evaluate("opened - downloaded");
  await page.close();
  return { all, opening };
}

function report(name, values, unit) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(0);
  console.log(`${name}: median ${at(0.5)} ${unit}, 10% ${at(0.1)}, 90% ${at(0.9)}, at most ${at(1)}`);
}
