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

/** The embedded model's page, served and opened in Chromium. */
export interface PageStage extends AsyncDisposable {
  readonly site: Site;
  readonly page: Page;
  /** What went wrong in pages since the last call, and what they requested from elsewhere. */
  takeComplaints(): string[];
  /** Opens a page of its own, and closes the one before. */
  open(fragment?: string, view?: View): Promise<void>;
  /** Addresses that were requested since the last call. */
  takeRequests(): string[];
  ready(): Promise<void>;
  answered(): Promise<void>;
  forked(): Promise<void>;
  /** The text that is shown at a selector. */
  said(selector: string): Promise<string>;
  /** Waits for a reply of the worker. @param condition on kind, id and reason, in JavaScript */
  reply(condition: string, timeoutMs?: number): Promise<void>;
  /** Asks the worker past the page. @returns its replies */
  request(
    asked: Extract<Request, { readonly id: number }>,
    until: Reply["kind"],
    timeoutMs?: number,
  ): Promise<Extract<Reply, { readonly id: number }>[]>;
}

/** Keeps what the worker says, and gives a way to talk to it. */
const LISTEN = `{
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
  const reply = (condition: string, timeout = 60_000): Promise<void> =>
    // the page's policy forbids Playwright's own way of waiting
    expect
      .poll(() => shown().evaluate(`replies.some(({ kind, id, reason }) => ${condition})`), { timeout })
      .toBe(true);
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
    ready: () => shown().locator(".chip").first().waitFor(),
    answered: () => shown().locator(".judged").waitFor(),
    forked: () => shown().locator(".fork svg").waitFor(),
    said: (selector) => shown().locator(selector).innerText(),
    reply,
    async request(asked, until, timeoutMs) {
      await shown().evaluate(`engine.postMessage(${JSON.stringify(asked)})`);
      await reply(`id === ${asked.id} && (kind === "${until}" || kind === "failed")`, timeoutMs);
      return shown().evaluate(`replies.filter(({ id }) => id === ${asked.id})`);
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

export const servePage = (site: Site): Promise<GatedServer> =>
  listenBehindGate(serveSite(site).fetch, { token: null, maxBodyBytes: 0, title: "See doubt" });
