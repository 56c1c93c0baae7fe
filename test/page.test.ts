import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Fork, Reading, Reply, Request, Verdict } from "../apps/page/src/messages.ts";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { POCKET_FOLDER } from "../src/checkpoint/locate-checkpoint.ts";
import { generate, sampleAnswers } from "../src/engine/generate/generate.ts";
import { splitReasoning } from "../src/engine/generate/split-reasoning.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import { buildPrompt } from "../src/engine/tokenizer/build-prompt.ts";
import { measureMeanings } from "../src/entropy/portable-entropy.ts";
import { mean } from "../src/math/vector.ts";
import { type GatedServer, listenBehindGate } from "../src/net/listen.ts";
import { applyCalibration } from "../src/probes/calibration.ts";
import type { Probe } from "../src/probes/probe.ts";
import { assertStates, scoreProbe } from "../src/probes/score-probe.ts";
import { loadQuestions } from "../src/samples/load-questions.ts";
import { buildPocketSite, downloadBytes, type Site, serveSite } from "../src/serve/page-site.ts";
import { createScorer } from "../src/serve/score-question.ts";
import { loadProbe } from "../src/study/probe-files.ts";
import { eachSampled } from "./each-sampled.ts";

/** Debian's package, or what the environment names; CI installs it. */
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PLAIN = ["--no-sandbox", "--disable-gpu"];
/** A graphics adapter that is computed on the CPU. */
const SWIFTSHADER = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
const SEED = 42;
const QUESTION = "How much is 892 - 705?";
/** float32 sums in another order, through a probe and a logistic curve. */
const RISK_TOLERANCE = 1e-4;
const VIEWS = [390, 900, 1400].flatMap((width) =>
  (["light", "dark"] as const).map((colorScheme) => [width, colorScheme] as const),
);

describe("what a visitor downloads", () => {
  it("is small: below 30 MB with the runtime, and 150 kB compressed without it and the model", async () => {
    const site = await buildPocketSite();
    expect(downloadBytes(site)).toBeLessThan(30e6);
    const own = [...site].filter(([name]) => !/\.zip$|^ort\./.test(name));
    expect(own.reduce((sum, [, bytes]) => sum + gzipSync(bytes).length, 0)).toBeLessThan(150e3);
  });
});

describe.skipIf(!existsSync(CHROMIUM))("the page in Chromium", () => {
  let browser: Browser;
  let site: Site;
  let server: GatedServer;
  let page: Page;
  let model: LanguageModel;
  let probes: { readonly answer: Probe; readonly layers: readonly Probe[] };
  const complaints: string[] = [];
  const requested: string[] = [];

  beforeAll(async () => {
    site = await buildPocketSite();
    server = await serve(site);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: PLAIN });
    model = await loadModel("pocket", { threads: 1 });
    probes = {
      answer: await loadProbe(join(POCKET_FOLDER, "probes/accuracy_probe.json")),
      layers: await Promise.all(
        [1, 2, 3, 4].map((layer) => loadProbe(join(POCKET_FOLDER, `page/layer-${layer}.json`))),
      ),
    };
  });
  afterAll(async () => {
    await browser.close();
    await model[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    await page.context().close();
    expect(complaints.splice(0)).toEqual([]);
    expect(requested.splice(0).filter((url) => !url.startsWith(server.address))).toEqual([]);
  });

  async function open(
    fragment = "",
    {
      on = browser,
      ...view
    }: { on?: Browser; viewport?: { width: number; height: number }; colorScheme?: "light" | "dark" } = {},
  ): Promise<void> {
    page = await (await on.newContext(view)).newPage();
    page.setDefaultTimeout(30_000);
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => requested.push(request.url()));
    // what the worker says, and a way to talk to it
    await page.addInitScript(`{
      const Own = Worker;
      globalThis.replies = [];
      globalThis.Worker = class extends Own {
        constructor(...given) {
          super(...given);
          globalThis.engine = this;
          this.addEventListener("message", ({ data }) => replies.push(data));
        }
      };
    }`);
    await page.goto(`${server.address}${fragment === "" ? "" : `#${fragment}`}`);
  }
  const ready = (): Promise<void> => page.locator(".chip").first().waitFor();
  const answered = (): Promise<void> => page.locator(".judged").waitFor();
  const forked = (): Promise<void> => page.locator(".fork svg").waitFor();
  const said = (selector: string): Promise<string> => page.locator(selector).innerText();

  /** Waits for a reply of the worker; the page's policy forbids Playwright's own way of waiting. */
  const reply = (condition: string, timeout = 30_000): Promise<void> =>
    expect
      .poll(() => page.evaluate(`replies.some(({ kind, id, reason }) => ${condition})`), { timeout })
      .toBe(true);

  /** Asks the worker past the page. */
  async function request<Kind extends Reply["kind"]>(
    asked: Extract<Request, { readonly id: number }>,
    until: Kind,
    timeoutMs = 30_000,
  ): Promise<Extract<Reply, { readonly id: number }>[]> {
    await page.evaluate(`engine.postMessage(${JSON.stringify(asked)})`);
    await reply(`id === ${asked.id} && (kind === "${until}" || kind === "failed")`, timeoutMs);
    return page.evaluate(`replies.filter(({ id }) => id === ${asked.id})`);
  }

  /** The same answer with Node's engine, and what the probes say along it. */
  async function answerHere(question: string) {
    const { sampler } = probes.answer.asking as NonNullable<Probe["asking"]>;
    const prompt = buildPrompt(model.tokenizer, question, { format: "chat" });
    const events = generate(model, prompt, { sampler, seed: SEED, streamKey: question });
    let step = await events.next();
    while (!step.done) step = await events.next();
    const [answer] = step.value;
    if (answer === undefined) throw new Error("no answer");
    const { residuals } = await model.trace([...prompt.tokenIds, ...answer.tokenIds]);
    const width = model.config.hiddenSize;
    const layers = model.config.blockCount + 1;
    const read = (probe: Probe, token: number): number => {
      const at = ((prompt.tokenIds.length + token) * layers + (probe.layer as number)) * width;
      const states = assertStates(residuals.subarray(at, at + width), {
        position: "think-end",
        layer: probe.layer as number,
        width,
        normState: "residual",
      });
      const [score] = scoreProbe(probe, states) as unknown as [number];
      return probe.calibration_map === null ? score : applyCalibration(probe.calibration_map, score);
    };
    return { prompt, answer, read, sampler };
  }

  async function expectSameAnswer(question: string, id: number, timeoutMs?: number): Promise<void> {
    const replies = await request({ kind: "ask", id, question, seed: SEED }, "answered", timeoutMs);
    const { answer, read } = await answerHere(question);
    const tokens = replies.filter((reply) => reply.kind === "token");
    expect(tokens.map(({ text }) => text)).toEqual(
      answer.tokenIds.map((token) => model.tokenizer.decode([token])),
    );
    expect(tokens.map(({ delta }) => delta).join("")).toBe(answer.text);
    const readings = replies.filter((reply) => reply.kind === "reading") as (Reading & Reply)[];
    expect(readings.map(({ index }) => index)).toEqual(
      answer.tokenIds.map((_, index) => index - 1).concat(answer.tokenIds.length - 1),
    );
    for (const { index, risk, layers } of readings) {
      expect(Math.abs((risk as number) - read(probes.answer, index))).toBeLessThan(RISK_TOLERANCE);
      expect(layers[0]).toBeNull();
      for (const [layer, probe] of probes.layers.entries())
        expect(Math.abs((layers[layer + 1] as number) - read(probe, index))).toBeLessThan(RISK_TOLERANCE);
    }
  }

  async function expectSameEntropy(question: string, id: number): Promise<void> {
    const [fork] = (await request({ kind: "fork", id, at: -1 }, "forked")).filter(
      (reply) => reply.kind === "forked",
    ) as Fork[];
    const { prompt, sampler } = await answerHere(question);
    const runIds = Array.from({ length: 10 }, (_, run) => run);
    const samples = await sampleAnswers(model, prompt.tokenIds, {
      runIds,
      sampler,
      seed: SEED,
      streamKey: question,
    });
    const expected = await measureMeanings({
      question,
      texts: samples.map(
        (sample) =>
          splitReasoning(model.tokenizer, { ...sample, opensReasoning: prompt.opensReasoning }).answerText,
      ),
      meanLogprobs: samples.map(({ logprobs }) => mean(logprobs)),
    });
    expect(fork?.samples.map(({ answer }) => answer)).toEqual(expected.answers);
    expect(fork?.samples.map(({ meaning }) => meaning)).toEqual(expected.clusterIds);
    expect(Math.abs((fork?.semanticEntropy ?? NaN) - expected.semanticEntropy)).toBeLessThan(RISK_TOLERANCE);
  }

  it("answers as Node does, with the same risks, and the same semantic entropy", async () => {
    await open("engine=wasm");
    await ready();
    const { questions } = await loadQuestions("arithmetic", { limit: 3 });
    for (const [index, { question }] of questions.entries()) {
      await expectSameAnswer(question, 1000 + index);
      await expectSameEntropy(question, 1000 + index);
    }
  });

  it("does so for fifty questions", { tags: ["long"] }, async () => {
    await open("engine=wasm");
    await ready();
    const { questions } = await loadQuestions("arithmetic", { limit: 300 });
    for (const [index, { question }] of questions.filter((_, at) => at % 6 === 0).entries()) {
      await expectSameAnswer(question, 1000 + index);
      await expectSameEntropy(question, 1000 + index);
    }
  });

  it("does so on WebGPU, which a software adapter has", { tags: ["long"], timeout: 300_000 }, async () => {
    const gpu = await chromium.launch({ executablePath: CHROMIUM, args: SWIFTSHADER });
    try {
      await open("engine=webgpu", { on: gpu });
      await ready();
      expect(await said("header")).toContain("runs on WebGPU");
      await expectSameAnswer("Solve 3 * 9.", 1000, 200_000);
    } finally {
      await page.context().close();
      await gpu.close();
    }
  });

  it("says what `sep score` says of an answer, and decides by the threshold", async () => {
    await open(`q=${encodeURIComponent(QUESTION)}`);
    await answered();
    const scorer = createScorer(model, probes.answer, { sampling: "study", seed: SEED });
    const scored = await scorer.score(QUESTION);
    const verdict = (await page.evaluate(`replies.find(({ kind }) => kind === "answered")`)) as Verdict;
    expect(verdict.text).toBe(scored.output_text);
    expect(Math.abs((verdict.risk as number) - (scored.risk as number))).toBeLessThan(RISK_TOLERANCE);
    expect(await page.locator(".token.read").innerText()).toBe("</think>");
    expect(scored.decision).toBe("abstain");
    expect(await said(".decision")).toContain("Do not give this answer");
    const slider = page.getByLabel("Highest risk at which an answer is given");
    await slider.focus();
    await page.keyboard.press("End");
    await expect.poll(() => said(".decision")).toContain("Give this answer: its risk is at most 1.00");
    expect(page.url()).toContain("threshold=1");
    expect(await slider.getAttribute("aria-valuetext")).toMatch(/at least 9\d% of answers are given/);
    await page.keyboard.press("Home");
    await expect
      .poll(() => said(".promise"))
      .toMatch(/0\.00[\s\S]*0% are given[\s\S]*0% are given and wrong/);
  });

  it("forks at a token, beside what the probe says there, and shows what each layer would say", async () => {
    await open(`q=${encodeURIComponent(QUESTION)}`);
    await answered();
    await forked();
    await page.locator(".token").nth(4).click();
    await page.getByRole("heading", { name: /What if it went on from/ }).waitFor();
    await forked();
    const risk = (
      (await page.evaluate(`replies.find(({ kind, index }) => kind === "reading" && index === 4)`)) as Reading
    ).risk as number;
    expect(await said(".pair")).toContain(risk.toFixed(2));
    expect(await said(".panel")).toMatch(/\d+ meanings|One meaning/);
    const next = await page.locator(".token").nth(5).textContent();
    expect(await page.locator(".lens tbody tr").count()).toBe(5);
    expect(await page.locator(".lens tbody tr").first().locator(".guess.drawn").innerText()).toContain(
      next ?? "?",
    );
    const kept = await page.evaluate(`replies.findLast(({ kind }) => kind === "forked").samples.length`);
    expect(kept).toBe(10);
  });

  it("comes back from its link as it was left", async () => {
    await open(`q=${encodeURIComponent(QUESTION)}&seed=7&token=6&layer=2&threshold=0.9`);
    await answered();
    await forked();
    expect(await page.locator(".token[aria-selected='true']").getAttribute("id")).toBe("token-6");
    expect(await said(".layers .current")).toBe("2");
    expect(await said(".promise")).toContain("0.90");
    const first = await said(".text");
    const address = page.url();
    await page.getByRole("button", { name: "Another answer" }).click();
    await expect.poll(() => page.url()).toContain("seed=8");
    await page.goto(address);
    await expect.poll(() => said(".text")).toBe(first);
  });

  it("is used with the keyboard alone", async () => {
    await open();
    await ready();
    await page.getByLabel("Question").focus();
    await page.keyboard.type("Compute 5 * 59.");
    await page.keyboard.press("Enter");
    await answered();
    await forked();
    await page.getByRole("listbox").focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await page.locator(".token[aria-selected='true']").getAttribute("id")).toBe("token-2");
    await forked();
    await page.locator(".map").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowLeft");
    expect(await said(".readout")).toMatch(/^Layer 3 at “.+”: risk 0\.\d\d$/);
    expect(await said("[role=status]")).toMatch(/^Answer: [\s\S]*(Give|Do not give) this answer/);
  });

  it("stops, also while it is writing", async () => {
    await open("engine=wasm");
    await ready();
    await page.evaluate(
      `engine.postMessage({ kind: "ask", id: 1000, question: "Compute 98765 * 4321.", seed: 1 })`,
    );
    await reply(`id === 1000 && kind === "token"`);
    await page.evaluate(`engine.postMessage({ kind: "stop" })`);
    await reply(`id === 1000 && reason === "Stopped."`);
    expect(await page.evaluate(`replies.some(({ kind, id }) => id === 1000 && kind === "answered")`)).toBe(
      false,
    );
  });

  it("says why it does not use WebGPU, and what is wrong when its files are not there", async () => {
    await open("engine=webgpu");
    await ready();
    expect(await said("header")).toMatch(/runs on WebAssembly\s+This browser has/);
    await page.context().close();
    await using broken = await serve(new Map([...site].filter(([name]) => name !== "model.zip")));
    page = await (await browser.newContext()).newPage();
    await page.goto(broken.address);
    await page.getByRole("alert").waitFor();
    expect(await said("[role=alert]")).toBe(
      "The model could not be opened: /model.zip answers with status 404.",
    );
  });

  it("loads its archives once, and then from the browser's own store", async () => {
    await open("engine=wasm");
    await ready();
    requested.length = 0;
    await page.reload();
    await ready();
    expect(requested.filter((url) => url.includes(".zip"))).toEqual([]);
  });

  eachSampled(VIEWS, { sample: 2 })(
    "has no fault that axe finds, at %i pixels, %s",
    async (width, colorScheme) => {
      await open(`q=${encodeURIComponent("Evaluate 407 - 969 - 681.")}`, {
        viewport: { width, height: 900 },
        colorScheme,
      });
      await answered();
      await forked();
      await page.getByText("Read the continuations").click();
      const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(wide).toBeLessThanOrEqual(0);
      // the page's content policy forbids scripts from outside, and this one comes from the debugger
      await page.evaluate(axe.source);
      const faults = await page.evaluate("axe.run().then(({ violations }) => violations)");
      expect((faults as Fault[]).map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html}`)).toEqual(
        [],
      );
    },
  );
});

/** What is used of a violation that axe finds. */
interface Fault {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string }[];
}

const serve = (site: Site): Promise<GatedServer> =>
  listenBehindGate(serveSite(site).fetch, { token: null, maxBodyBytes: 0, title: "See doubt" });

describe("the page's server", () => {
  it("hands out its files and nothing else, under a policy without eval", async () => {
    await using server = await serve(await buildPocketSite());
    const response = await fetch(server.address);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect(policy).not.toContain("'unsafe-eval'");
    expect(policy).not.toContain("unsafe-inline");
    // for hosts that send no headers
    const html = await readFile(new URL("../apps/page/src/index.html", import.meta.url), "utf8");
    const own = /content-security-policy" content="([^"]+)"/.exec(html)?.[1];
    expect(policy.replace(" frame-ancestors 'none';", "")).toBe(own);
    expect((await fetch(new URL("/package.json", server.address))).status).toBe(404);
    expect((await fetch(new URL("/../package.json", server.address))).status).toBe(404);
    expect((await fetch(server.address, { method: "POST", body: "x" })).status).toBeGreaterThanOrEqual(400);
    expect((await fetch(server.address, { headers: { origin: "https://evil.example" } })).status).toBe(403);
  });
});
