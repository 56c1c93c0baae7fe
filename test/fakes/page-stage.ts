import { type Browser, chromium, type Page } from "playwright-core";
import { expect } from "vitest";
import type { Reply, Request } from "../../apps/page/src/messages.ts";
import { type GatedServer, listenBehindGate } from "../../src/net/listen.ts";
import { buildPocketSite, type Site, serveSite } from "../../src/serve/page-site.ts";

/** Debian's package, or what the environment names; CI installs it. */
export const CHROMIUM: string = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PLAIN = ["--no-sandbox", "--disable-gpu"];
/** A graphics adapter that is computed on the CPU. */
export const SWIFTSHADER: readonly string[] = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
];

/** What a page is opened with. */
interface View {
  readonly viewport?: { readonly width: number; readonly height: number };
  readonly colorScheme?: "light" | "dark";
}

/** The page's worker, talked to past the page. */
interface WorkerTalk {
  /** Waits until the model is there. */
  ready(): Promise<void>;
  /** Waits for a reply of the worker. @param condition on kind, id and reason, in JavaScript */
  reply(condition: string, timeoutMs?: number): Promise<void>;
  /** @returns the worker's replies */
  request(
    asked: Extract<Request, { readonly id: number }>,
    until: Reply["kind"],
    timeoutMs?: number,
  ): Promise<Extract<Reply, { readonly id: number }>[]>;
  /** The text that is shown at a selector. */
  said(selector: string): Promise<string>;
}

/** The embedded model's page, served and opened in a browser. */
export interface EngineStage extends WorkerTalk, AsyncDisposable {
  /** What went wrong in pages since the last call, and what they requested from elsewhere. */
  takeComplaints(): string[];
  /** Opens a page of its own, and closes the one before. */
  open(fragment?: string): Promise<void>;
}

/** The page in Chromium, and what a person does there. */
export interface PageStage extends EngineStage {
  readonly site: Site;
  readonly page: Page;
  open(fragment?: string, view?: View): Promise<void>;
  /** Addresses that were requested since the last call. */
  takeRequests(): string[];
  answered(): Promise<void>;
  forked(): Promise<void>;
}

/** A script that keeps what the worker says, and gives a way to talk to it. */
export const LISTEN = `{
  const Own = Worker;
  globalThis.replies = [];
  globalThis.Worker = class extends Own {
    constructor(...given) {
      super(...given);
      globalThis.engine = this;
      this.addEventListener("message", ({ data }) => replies.push(data));
    }
  };
}`;

/** @param evaluate runs JavaScript in the page */
export function talkToWorker(evaluate: (source: string) => Promise<unknown>): WorkerTalk {
  // the page's policy forbids a driver's own way of waiting
  const wait = (condition: string, timeout = 60_000): Promise<void> =>
    expect.poll(() => evaluate(condition), { timeout }).toBe(true);
  const reply = (condition: string, timeoutMs?: number): Promise<void> =>
    wait(`replies.some(({ kind, id, reason }) => ${condition})`, timeoutMs);
  return {
    reply,
    ready: () => wait(`document.querySelector(".chip") !== null`),
    said: (selector) =>
      evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`) as Promise<string>,
    async request(asked, until, timeoutMs) {
      await evaluate(`engine.postMessage(${JSON.stringify(asked)})`);
      await reply(`id === ${asked.id} && (kind === "${until}" || kind === "failed")`, timeoutMs);
      return (await evaluate(`replies.filter(({ id }) => id === ${asked.id})`)) as Extract<
        Reply,
        { readonly id: number }
      >[];
    },
  };
}

export async function stagePage(args: readonly string[] = PLAIN): Promise<PageStage> {
  const site = await buildPocketSite();
  const server = await servePage(site);
  const browser: Browser = await chromium.launch({ executablePath: CHROMIUM, args: [...args] });
  const complaints: string[] = [];
  let requested: string[] = [];
  let page: Page | null = null;
  const shown = (): Page => {
    if (page === null) throw new Error("No page is open.");
    return page;
  };
  return {
    site,
    get page() {
      return shown();
    },
    takeComplaints: () => complaints.splice(0),
    takeRequests() {
      const taken = requested;
      requested = [];
      return taken;
    },
    async open(fragment = "", view = {}) {
      await page?.context().close();
      page = await (await browser.newContext(view)).newPage();
      page.setDefaultTimeout(60_000);
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("request", (request) => {
        requested.push(request.url());
        if (!request.url().startsWith(server.address)) complaints.push(`requested ${request.url()}`);
      });
      await page.addInitScript(LISTEN);
      await page.goto(`${server.address}${fragment === "" ? "" : `#${fragment}`}`);
    },
    ...talkToWorker((source) => shown().evaluate(source)),
    answered: () => shown().locator(".judged").waitFor(),
    forked: () => shown().locator(".fork svg").waitFor(),
    // waits for the element, which the worker's own way does not
    said: (selector) => shown().locator(selector).innerText(),
    async [Symbol.asyncDispose]() {
      await browser.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

export const servePage = (site: Site): Promise<GatedServer> =>
  listenBehindGate(serveSite(site).fetch, { token: null, maxBodyBytes: 0, title: "See doubt" });
