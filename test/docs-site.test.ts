import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listPages, readContents } from "../docs/.vitepress/contents.ts";
import { CHROMIUM } from "./fakes/page-stage.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const run = promisify(execFile);

/** Where the site is served: it must not matter. */
const BASE = "/any/folder/";
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};
const OPENED = [
  "index.html",
  "docs/index.html",
  "docs/semantic-entropy.html",
  "docs/cli/run.html",
  "docs/estimates.html",
];
const VIEWS = [390, 1400].flatMap((width) =>
  (["light", "dark"] as const).map((colorScheme) => ({ width, colorScheme })),
);

describe("the documentation's site", { tags: ["long"] }, () => {
  let folder: string;
  let server: Server;
  let origin: string;
  let browser: Browser | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sep-site-"));
    const vitepress = join(ROOT, "node_modules/vitepress/bin/vitepress.js");
    await run(process.execPath, [vitepress, "build", "docs", "--outDir", folder], { cwd: ROOT });
    await run(process.execPath, [join(ROOT, "dist/cli/main.js"), "page", "--out", join(folder, "page")]);
    server = createServer(({ url = "" }, response) => {
      const name = decodeURIComponent(new URL(url, "http://host").pathname.slice(BASE.length)).replace(
        /(^|\/)$/,
        "$1index.html",
      );
      const path = join(folder, name);
      if (!url.startsWith(BASE) || !existsSync(path)) return void response.writeHead(404).end();
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" });
      response.end(readFileSync(path));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    if (existsSync(CHROMIUM))
      browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  /** A page of its own, whose complaints and foreign requests are kept. */
  async function open(path: string, view: Parameters<Browser["newPage"]>[0] = {}): Promise<[Page, string[]]> {
    const page = await (browser as Browser).newPage(view);
    const complaints: string[] = [];
    page.on("pageerror", ({ message }) => complaints.push(message));
    page.on("console", (said) => said.type() === "error" && complaints.push(said.text()));
    page.on("request", (asked) => {
      if (!asked.url().startsWith(origin) && !/^(data|blob):/.test(asked.url())) complaints.push(asked.url());
    });
    page.on(
      "response",
      (reply) => reply.status() >= 400 && complaints.push(`${reply.status()} ${reply.url()}`),
    );
    await page.goto(`${origin}${BASE}${path}`, { waitUntil: "networkidle" });
    return [page, complaints];
  }

  it("has every page of the contents, and no link, picture or anchor that leads nowhere", () => {
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
    const pages = names.filter((name) => /^(?!page\/).*\.html$/.test(name));
    const built = new Set(pages);
    for (const link of listPages(readContents())) expect(built).toContain(`${link.slice(1)}.html`);
    const texts = new Map(pages.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
    const broken = [...texts].flatMap(([name, text]) =>
      [...text.matchAll(/ (?:href|src)="([^"]+)"/g)]
        .map(([, link]) => link as string)
        .filter((link) => !/^(https?:|mailto:|data:)/.test(link) && name !== "404.html")
        .filter((link) => {
          const { pathname, hash } = new URL(link, `http://host${BASE}${name}`);
          const target = decodeURIComponent(pathname.slice(BASE.length)).replace(/(^|\/)$/, "$1index.html");
          if (target === "api/index.html") return false; // made by typedoc, beside this
          if (!pathname.startsWith(BASE) || !existsSync(join(folder, target))) return true;
          const id = decodeURIComponent(hash.slice(1));
          return id !== "" && texts.has(target) && !texts.get(target)?.includes(` id="${id}"`);
        })
        .map((link) => `${name}: ${link}`),
    );
    expect(broken).toEqual([]);
  });

  describe.skipIf(!existsSync(CHROMIUM))("in Chromium", () => {
    it.each(OPENED.flatMap((path) => VIEWS.map((view) => ({ path, ...view }))))(
      "$path at $width pixels, $colorScheme: axe finds nothing, and nothing comes from elsewhere",
      async ({ path, width, colorScheme }) => {
        const [page, complaints] = await open(path, { viewport: { width, height: 900 }, colorScheme });
        expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
        await page.evaluate(axe.source);
        const faults = (await page.evaluate("axe.run().then(({ violations }) => violations)")) as Fault[];
        expect(faults.map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200)}`)).toEqual([]);
        expect(complaints).toEqual([]);
        await page.close();
      },
    );

    it("follows links without loading anew, and finds pages by their words", async () => {
      const [page, complaints] = await open("docs/index.html", { viewport: { width: 1400, height: 900 } });
      await page.locator(".VPSidebar").getByRole("link", { name: "What semantic entropy is" }).click();
      await page.waitForURL(`**${BASE}docs/semantic-entropy.html`);
      expect(await page.locator("h1").innerText()).toContain("What semantic entropy is");
      const width = `document.querySelector('main img[src*="semantic-entropy"]')?.naturalWidth`;
      await expect.poll(() => page.evaluate(width)).toBeGreaterThan(100);
      await page.locator(".VPNavBarSearch button").first().click();
      await page.locator("#localsearch-input").fill("exchangeable");
      const found = page.locator("#localsearch-list a");
      await expect.poll(() => found.count()).toBeGreaterThan(0);
      await found.first().click();
      await page.waitForURL(/\/any\/folder\/docs\/.*\.html/);
      expect(complaints).toEqual([]);
      await page.close();
    });

    it("has the browser page, which answers there", async () => {
      const [page, complaints] = await open("docs/page.html", { viewport: { width: 1400, height: 900 } });
      await page.locator(".VPNav").getByRole("link", { name: "Browser page" }).click();
      await page.waitForURL(`**${BASE}page/`);
      await page.locator("h1").waitFor();
      expect(complaints).toEqual([]);
      await page.close();
    });
  });
});

/** What is used of a violation that axe finds. */
interface Fault {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}
