import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import axe from "axe-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Reading, Verdict } from "../apps/page/src/messages.ts";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { POCKET_FOLDER } from "../src/checkpoint/locate-checkpoint.ts";
import { buildPocketSite, downloadBytes } from "../src/serve/page-site.ts";
import { createScorer } from "../src/serve/score-question.ts";
import { loadProbe } from "../src/study/probe-files.ts";
import { eachSampled } from "./each-sampled.ts";
import { CHROMIUM, type PageStage, servePage, stagePage } from "./fakes/page-stage.ts";

const SEED = 42;
const QUESTION = "How much is 892 - 705?";
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
  let stage: PageStage;
  beforeAll(async () => {
    stage = await stagePage();
  }, 180_000);
  afterAll(async () => {
    await stage[Symbol.asyncDispose]();
  });
  afterEach(() => {
    expect(stage.takeComplaints()).toEqual([]);
  });

  it("says what `sep score` says of an answer, and decides by the threshold", async () => {
    await stage.open(`q=${encodeURIComponent(QUESTION)}`);
    await stage.answered();
    await using model = await loadModel("pocket", { threads: 1 });
    const probe = await loadProbe(join(POCKET_FOLDER, "probes/accuracy_probe.json"));
    const scorer = createScorer(model, probe, { sampling: "study", seed: SEED });
    const scored = await scorer.score(QUESTION);
    const verdict = (await stage.page.evaluate(`replies.find(({ kind }) => kind === "answered")`)) as Verdict;
    expect(verdict.text).toBe(scored.output_text);
    expect(Math.abs((verdict.risk as number) - (scored.risk as number))).toBeLessThan(RISK_TOLERANCE);
    expect(await stage.page.locator(".token.read").innerText()).toBe("</think>");
    expect(scored.decision).toBe("abstain");
    expect(await stage.said(".decision")).toContain("Do not give this answer");
    const slider = stage.page.getByLabel("Highest risk at which an answer is given");
    await slider.focus();
    await stage.page.keyboard.press("End");
    await expect.poll(() => stage.said(".decision")).toContain("Give this answer: its risk is at most 1.00");
    await expect.poll(() => stage.page.url()).toContain("threshold=1");
    await expect
      .poll(() => slider.getAttribute("aria-valuetext"))
      .toMatch(/at least 9\d% of answers are given/);
    await stage.page.keyboard.press("Home");
    await expect
      .poll(() => stage.said(".promise"))
      .toMatch(/0\.00[\s\S]*0% are given[\s\S]*0% are given and wrong/);
  });

  it("forks at a token, beside what the probe says there, and shows what each layer would say", async () => {
    await stage.open(`q=${encodeURIComponent(QUESTION)}`);
    await stage.answered();
    await stage.forked();
    const chosen = stage.page.locator(".token").nth(4);
    await chosen.click();
    const name = `What if it went on from “${await chosen.textContent()}”?`;
    await stage.page.getByRole("heading", { name, exact: true }).waitFor();
    await stage.forked();
    const risk = (
      (await stage.page.evaluate(
        `replies.find(({ kind, index }) => kind === "reading" && index === 4)`,
      )) as Reading
    ).risk as number;
    await expect.poll(() => stage.said(".pair")).toContain(risk.toFixed(2));
    await expect.poll(() => stage.said(".panel")).toMatch(/\d+ meanings|One meaning/);
    const next = await stage.page.locator(".token").nth(5).textContent();
    const lens = stage.page.locator(".lens tbody tr");
    await expect.poll(() => lens.first().locator(".guess.drawn").innerText()).toContain(next ?? "?");
    expect(await lens.count()).toBe(5);
    const kept = await stage.page.evaluate(
      `replies.findLast(({ kind }) => kind === "forked").samples.length`,
    );
    expect(kept).toBe(10);
  });

  it("comes back from its link as it was left", { tags: ["long"] }, async () => {
    await stage.open(`q=${encodeURIComponent(QUESTION)}&seed=7&token=6&layer=2&threshold=0.9`);
    await stage.answered();
    await stage.forked();
    expect(await stage.page.locator(".token[aria-selected='true']").getAttribute("id")).toBe("token-6");
    expect(await stage.said(".layers .current")).toBe("2");
    expect(await stage.said(".promise")).toContain("0.90");
    const first = await stage.said(".text");
    const address = stage.page.url();
    await stage.page.getByRole("button", { name: "Another answer" }).click();
    await expect.poll(() => stage.page.url()).toContain("seed=8");
    await stage.page.goto(address);
    await expect.poll(() => stage.said(".text")).toBe(first);
  });

  it("is used with the keyboard alone", async () => {
    await stage.open();
    await stage.ready();
    await stage.page.getByLabel("Question").focus();
    await stage.page.keyboard.type("Compute 5 * 59.");
    await stage.page.keyboard.press("Enter");
    await stage.answered();
    await stage.forked();
    await stage.page.getByRole("listbox").focus();
    await stage.page.keyboard.press("Home");
    await stage.page.keyboard.press("ArrowRight");
    await stage.page.keyboard.press("ArrowRight");
    await expect
      .poll(() => stage.page.locator(".token[aria-selected='true']").getAttribute("id"))
      .toBe("token-2");
    await stage.forked();
    await stage.page.locator(".map").focus();
    await stage.page.keyboard.press("ArrowDown");
    await stage.page.keyboard.press("ArrowLeft");
    await expect.poll(() => stage.said(".readout")).toMatch(/^Layer 3 at “.+”: risk 0\.\d\d$/);
    await expect
      .poll(() => stage.said("[role=status]"))
      .toMatch(/^Answer: \\boxed\{295\}\. Risk 0\.\d\d, .+\. (Give|Do not give) this answer/);
  });

  it("runs a model from disk, without a probe and with one, and goes back to its own", {
    tags: ["long"],
  }, async () => {
    const from = (...names: string[]): string[] => names.map((name) => join(POCKET_FOLDER, name));
    const model = from("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors");
    const probe = from("probes/accuracy_probe.json", "probes/accuracy_probe.safetensors");
    await stage.open(`q=${encodeURIComponent(QUESTION)}&engine=wasm`);
    await stage.answered();
    const first = await stage.said(".judged");
    await stage.page.getByText("Use a model of your own").click();
    const picker = stage.page.getByLabel("Files of the model");
    const choose = async (files: string[]): Promise<void> => {
      await picker.setInputFiles(files);
      await stage.page.getByText("your model").waitFor();
      await stage.answered();
      await stage.forked();
    };
    await choose(model);
    await expect.poll(() => stage.said(".judged")).toContain("No decision: this model has no probe.");
    await expect.poll(() => stage.page.locator(".map").count()).toBe(0);
    expect(await stage.said(".panel")).not.toContain("Probe");
    await choose([...model, ...probe]);
    await expect.poll(() => stage.said(".decision")).toBe(/.*Do not give.*/.exec(first)?.[0]);
    await expect.poll(() => new URL(stage.page.url()).hash).toBe("");
    await picker.setInputFiles([...model.slice(0, 3), ...probe]);
    await expect.poll(() => stage.said("[role=alert]")).toContain("lack model.safetensors");
    await stage.page.getByRole("button", { name: "Back to this page's model" }).click();
    await stage.page.getByText("pocket", { exact: true }).waitFor();
    await stage.answered();
    await expect.poll(() => stage.page.url()).toContain("892");
  });

  it("stops, also while it is writing", { tags: ["long"] }, async () => {
    await stage.open("engine=wasm");
    await stage.ready();
    await stage.page.evaluate(`{
      engine.addEventListener("message", ({ data: { kind, id, index } }) => {
        if (id === 1000 && kind === "token" && index === 0) engine.postMessage({ kind: "stop" });
      });
      engine.postMessage({ kind: "ask", id: 1000, question: "Compute 98765 * 4321.", seed: 1 });
    }`);
    await stage.reply(`id === 1000 && reason === "Stopped."`);
    expect(
      await stage.page.evaluate(`replies.some(({ kind, id }) => id === 1000 && kind === "answered")`),
    ).toBe(false);
  });

  it("says why it does not use WebGPU, and what is wrong when its files are not there", {
    tags: ["long"],
  }, async () => {
    await stage.open("engine=webgpu");
    await stage.ready();
    expect(await stage.said("header")).toMatch(/runs on WebAssembly\s+This browser has/);
    await using broken = await servePage(new Map([...stage.site].filter(([name]) => name !== "model.zip")));
    await stage.page.goto(broken.address);
    await stage.page.getByRole("alert").waitFor();
    expect(stage.takeComplaints().length).toBeGreaterThan(0);
    expect(await stage.said("[role=alert]")).toBe(
      "The model could not be opened: /model.zip answers with status 404.",
    );
  });

  it("loads its archives once, and then from the browser's own store", { tags: ["long"] }, async () => {
    await stage.open("engine=wasm");
    await stage.ready();
    stage.takeRequests();
    await stage.page.reload();
    await stage.ready();
    expect(stage.takeRequests().filter((url) => url.includes(".zip"))).toEqual([]);
  });

  eachSampled(VIEWS, { sample: 1 })(
    "has no fault that axe finds, at %i pixels, %s",
    async (width, colorScheme) => {
      await stage.open(`q=${encodeURIComponent("Evaluate 407 - 969 - 681.")}`, {
        viewport: { width, height: 900 },
        colorScheme,
      });
      await stage.answered();
      await stage.forked();
      await stage.page.getByText("Read the continuations").click();
      await stage.page.getByText("Use a model of your own").click();
      const wide = await stage.page.evaluate("document.documentElement.scrollWidth - innerWidth");
      expect(wide).toBeLessThanOrEqual(0);
      // the page's content policy forbids scripts from outside, and this one comes from the debugger
      await stage.page.evaluate(axe.source);
      const faults = await stage.page.evaluate("axe.run().then(({ violations }) => violations)");
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

describe("the page's server", () => {
  it("hands out its files and nothing else, under a policy without eval", async () => {
    await using server = await servePage(await buildPocketSite());
    const response = await fetch(server.address);
    const policy = response.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect(policy).not.toContain("'unsafe-eval'");
    expect(policy).not.toContain("unsafe-inline");
    // for hosts that send no headers
    const html = await readFile(new URL("../apps/page/src/index.html", import.meta.url), "utf8");
    const own = /content-security-policy" content="([^"]+)"/.exec(html)?.[1];
    expect(policy.replace(" frame-ancestors 'none';", "")).toBe(own);
    expect((await fetch(new URL("/engine-worker.js", server.address))).headers.get("content-encoding")).toBe(
      "gzip",
    );
    expect((await fetch(new URL("/package.json", server.address))).status).toBe(404);
    expect((await fetch(new URL("/../package.json", server.address))).status).toBe(404);
    expect((await fetch(server.address, { method: "POST", body: "x" })).status).toBeGreaterThanOrEqual(400);
    expect((await fetch(server.address, { headers: { origin: "https://evil.example" } })).status).toBe(403);
  });
});
