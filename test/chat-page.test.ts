import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import axe from "axe-core";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { loadModel } from "../src/checkpoint/load-model.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import { type CreateServerOptions, type LiveModel, liveModelOf } from "../src/serve.ts";
import { eachSampled } from "./each-sampled.ts";
import { servedProbes, stageServer } from "./fakes/serve-stage.ts";

/** Debian's package, or what the environment names; CI installs it. */
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const QUESTION = "What is 48 - 19?";
const VIEWS = [390, 900, 1400].flatMap((width) =>
  (["light", "dark"] as const).map((colorScheme) => [width, colorScheme] as const),
);

describe.skipIf(!existsSync(CHROMIUM))("the chat page in Chromium", () => {
  let browser: Browser;
  let pocket: LanguageModel;
  let page: Page;
  let stage: Awaited<ReturnType<typeof stageServer>> | undefined;
  const complaints: string[] = [];

  beforeAll(async () => {
    pocket = await loadModel("pocket", { threads: 1 });
    // root may not use Chromium's sandbox, and CI is root
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  });
  afterAll(async () => {
    await browser.close();
    await pocket[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    complaints.length = 0;
    page = await (await browser.newContext({ viewport: { width: 900, height: 900 } })).newPage();
    page.setDefaultTimeout(15_000);
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
  });
  afterEach(async () => {
    await page.context().close();
    await stage?.[Symbol.asyncDispose]();
    stage = undefined;
    expect(complaints).toEqual([]);
  });

  async function open(
    changes: Partial<CreateServerOptions> = {},
    gate: Parameters<typeof stageServer>[2] = {},
  ): Promise<void> {
    stage = await stageServer(pocket, changes, gate);
    await page.goto(stage.address);
    await page.getByRole("heading", { name: "pocket" }).waitFor();
  }
  async function ask(question = QUESTION): Promise<void> {
    const asked = page.locator(".asked");
    const before = await asked.count();
    await page.getByLabel("Question").fill(question);
    await page.keyboard.press("Enter");
    await expect.poll(() => asked.count()).toBe(before + 1);
  }
  const answers = (): Locator => page.locator("article.answer");
  /** Until the page takes another question, which is a little after the answer is complete. */
  const done = (): Promise<void> => expect.poll(() => page.locator("#send").isEnabled()).toBe(true);
  const said = (): Promise<string> =>
    page.getByRole("status").evaluate((node) => (node as unknown as HTMLToken).textContent);

  it("tints each token by its risk, and says the risk, the decision and the promise", async () => {
    await open();
    await ask();
    await answers().getByText("Do not give this answer").waitFor();
    const { sep, text } = await plainAnswer();
    const shown = await answers()
      .locator(".token")
      .evaluateAll((all) =>
        (all as unknown as readonly HTMLToken[]).map(({ textContent, dataset }) => ({
          text: textContent,
          reading: dataset.reading,
          step: dataset.step,
        })),
      );
    expect(shown.map((token) => token.text).join("")).toBe(text);
    // the end token has neither a text nor a risk
    expect(sep.tokens.map(({ index }) => index)).toEqual(shown.slice(0, -1).map((_, index) => index));
    const readings = shown.map(({ text: own }, index) => {
      const risk = sep.tokens[index]?.risk;
      return own === "" || risk === undefined
        ? { reading: undefined, step: undefined }
        : { reading: `risk ${risk.toFixed(2)}`, step: String(Math.min(4, Math.floor(risk * 5))) };
    });
    expect(shown.map(({ reading, step }) => ({ reading, step }))).toEqual(readings);
    expect(new Set(shown.map(({ step }) => step)).size).toBeGreaterThan(1);
    expect(await answers().locator(".risk b").innerText()).toBe(sep.risk.toFixed(2));
    expect(await answers().innerText()).toContain(sep.guarantee);
    const read = answers().locator(".token.read");
    expect(await read.count()).toBe(1);
    expect(await read.getAttribute("data-reading")).toBe(`risk ${sep.risk.toFixed(2)}`);
    // once, when it is complete
    await expect.poll(said).toContain(text.trim());
    expect(await said()).toContain("Do not give this answer.");
  });

  it("is used with the keyboard alone: tokens, probes, warnings, samples, another turn", async () => {
    await open();
    await page.getByLabel("Probe").focus();
    await page.keyboard.press("ArrowDown");
    await expect.poll(() => page.locator("#about").innerText()).toContain("before-generation");
    await page.keyboard.press("ArrowUp");
    await ask();
    await done();
    await answers().locator(".text").focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    const second = answers().locator(".token").nth(1);
    await expect
      .poll(() => answers().locator(".readout").innerText())
      .toBe(`${JSON.stringify(await second.textContent())}: ${await second.getAttribute("data-reading")}`);
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await answers().locator(".clusters li").first().waitFor();
    const shares = await answers().locator(".clusters .count").allInnerTexts();
    expect(shares.reduce((sum, share) => sum + Number.parseInt(share, 10), 0)).toBe(10);
    await expect
      .poll(said)
      .toMatch(/nats of semantic entropy, of at most 2\.30: \d+ meanings? among 10 answers/);
    await done();
    await ask("And what is 3 + 4?");
    await done();
    expect(await answers().count()).toBe(2);
    const last = answers().last();
    const summary = last.locator("summary");
    await summary.focus();
    await page.keyboard.press("Enter");
    await expect
      .poll(() => last.locator("details").innerText())
      .toContain("the conversation has several turns");
    await page.getByRole("button", { name: "New conversation" }).press("Enter");
    await expect.poll(() => answers().count()).toBe(0);
  });

  it("stops, and what was said stays in the conversation", async () => {
    // no end in sight, however long the browser takes to hear of a key
    const long = { temperature: 1.5, max_tokens: 2000, seed: 1 };
    await open({ live: slowed(liveModelOf(pocket)) });
    await page.route("**/v1/chat/completions", async (route) => {
      await route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), ...long }) });
    });
    await ask(`Count: ${"1 2 3 ".repeat(20)}`);
    await answers().locator(".token").nth(2).waitFor();
    await page.keyboard.press("Escape");
    await answers().getByText("Stopped.").waitFor();
    await expect.poll(() => page.getByRole("button", { name: "Stop" }).isVisible()).toBe(false);
    await expect.poll(running).toBe(0);
  });

  it("tints what was held back by sentence, and shows what is said instead of an answer", async () => {
    await open({ policy: { name: "abstain" }, probes: servedProbes(pocket, { threshold: 1 }) });
    await ask();
    await answers().getByText("Give this answer").waitFor();
    expect(await answers().locator(".token[data-reading]").count()).toBeGreaterThan(0);
    expect(await answers().locator(".text").textContent()).toBe((await plainAnswer()).text);
    await stage?.[Symbol.asyncDispose]();
    await open({ policy: { name: "abstain", abstainText: "I do not know." } });
    await ask();
    await answers().getByText("The answer was withheld.").waitFor();
    expect(await answers().locator(".text").textContent()).toBe("I do not know.");
    expect(await answers().locator(".token[data-reading]").count()).toBe(0);
  });

  it("says what went wrong in the server's words, and keeps the question", async () => {
    await open({ limits: { timeMs: 1 }, report: () => undefined });
    await ask();
    await answers().locator(".failure").waitFor();
    expect(await answers().locator(".failure").innerText()).toMatch(/longer than this server's time limit/);
    await expect.poll(() => page.getByLabel("Question").inputValue()).toBe(QUESTION);
    complaints.splice(0, 1); // Chromium's own line about status 504
  });

  it("shows answers as text, whatever they contain", async () => {
    await open({
      policy: { name: "abstain", abstainText: "<img src=x onerror=alert(1)><script>alert(2)</script>" },
    });
    await ask("<b>bold</b>");
    await done();
    expect(await answers().locator(".text").textContent()).toContain("<script>alert(2)</script>");
    expect(await page.locator("#conversation img, #conversation b b, .asked b").count()).toBe(0);
  });

  it("is opened by the address with the key, and then asks with the cookie", async () => {
    await open({}, { token: "a-key-of-the-test" });
    expect(page.url()).not.toContain("a-key");
    await ask();
    await answers().getByText("Do not give this answer").waitFor();
  });

  eachSampled(VIEWS, { sample: 2 })(
    "has no fault that axe finds, at %i pixels, %s",
    async (width, colorScheme) => {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await open();
      await ask();
      await done();
      await page.getByRole("button", { name: /Draw 10 more/ }).click();
      await answers().locator(".clusters li").first().waitFor();
      await done();
      await ask("And what is 3 + 4?");
      await done();
      // a second turn has a warning
      await page.locator("summary").click();
      await page.locator(".token").nth(3).hover();
      if (process.env.SCREENSHOTS !== undefined)
        await page.screenshot({
          path: `${process.env.SCREENSHOTS}/chat-${width}-${colorScheme}.png`,
        });
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

  /** The same question, asked past the page. */
  async function plainAnswer(): Promise<{ readonly text: string; readonly sep: PlainRisk }> {
    await using plain = await stageServer(pocket);
    const response = await fetch(`${plain.base}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages: [{ role: "user", content: QUESTION }], sep: { tokens: true } }),
    });
    const { choices } = (await response.json()) as {
      choices: [{ message: { content: string }; sep: PlainRisk }];
    };
    return { text: choices[0].message.content, sep: choices[0].sep };
  }

  /** Answers that the server generates now. */
  async function running(): Promise<number> {
    const text = await (await fetch(new URL("/metrics", stage?.base))).text();
    return Number(/^sep_answers_running (\d+)$/m.exec(text)?.[1]);
  }
});

/** What is used of a token's element; this program's types know no DOM. */
interface HTMLToken {
  readonly textContent: string;
  readonly dataset: { readonly reading?: string; readonly step?: string };
}

interface PlainRisk {
  readonly risk: number;
  readonly guarantee: string;
  readonly tokens: readonly { readonly index: number; readonly risk: number }[];
}

/** What is used of a violation that axe finds. */
interface Fault {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** The model on a slow machine: every event takes its time. */
const slowed = (live: LiveModel): LiveModel => ({
  ...live,
  async *generate(...given) {
    const events = live.generate(...given);
    try {
      for (;;) {
        const next = await events.next();
        if (next.done) return next.value;
        await setTimeout(50);
        yield next.value;
      }
    } finally {
      await events.return(undefined as never);
    }
  },
});
