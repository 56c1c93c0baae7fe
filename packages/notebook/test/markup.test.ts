import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { eachSampled } from "../../../test/each-sampled.ts";
import { type NotebookStage, notebookText, stageNotebook } from "./stage-notebook.ts";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const { renderExport } = (await import(
  new URL("../dist/script/render-export.js", import.meta.url).href
)) as typeof import("../src/script/render-export.ts");

/** Markup that wants out: over the page, to another page, or into its code. */
const ATTACKS: Readonly<Record<string, string>> = {
  overlay:
    '<div style="position:fixed;inset:0;z-index:2147483647;background:#fff;width:100vw;height:100vh" class="bar toasts">Click anywhere to go on</div>',
  "overlay by the host":
    "<style>:host, * { display: block !important; position: fixed !important; inset: 0 !important; z-index: 2147483647 !important; margin: -999px !important }</style><p>Click</p>",
  "overlay in the top layer":
    '<button popovertarget="p" command="show-modal" commandfor="d">More</button><div popover="auto" id="p" style="inset:0;width:100vw;height:100vh">over</div><dialog id="d" open style="position:fixed;inset:0">over</dialog>',
  "meta refresh": '<meta http-equiv="refresh" content="0;url=/nowhere"><p>still here</p>',
  "style that hides everything":
    "<style>html, body, #app, header, section, * { display: none !important } :root { --ink: transparent; --paper: transparent } @import url(/page.css); @property --accent { syntax: '<color>'; inherits: false; initial-value: rgb(1, 2, 3) } @media all { @property --ink { syntax: '<color>'; inherits: false; initial-value: rgb(1, 2, 3) } }</style><p>x</p>",
  "style that does not end": "<style>body { display: none } @media all { p { color: red </style><p>x</p>",
  "endless page": '<div style="height:1e7px;width:1e7px;background:red">tall</div>',
  "scripts and handlers":
    '<script>pwned()</script><img src="x" onerror="pwned()"><svg onload="pwned()"><script>pwned()</script><animate onbegin="pwned()" attributeName="x"/><set attributeName="onmouseover" to="pwned()"/></svg><details open ontoggle="pwned()"><summary>s</summary></details><style onload="pwned()"></style>',
  frames:
    '<iframe srcdoc="&lt;script&gt;parent.pwned()&lt;/script&gt;"></iframe><object data="data:text/html,x"></object><embed src="/"><link rel="stylesheet" href="https://example.com/x.css"><base href="https://example.com/">',
  "javascript: links":
    '<a href="javascript:pwned()">one</a><a href=" java\nscript:pwned()">two</a><a href="&#1;javascript:pwned()">three</a><svg width="9" height="9"><a xlink:href="javascript:pwned()"><text y="9">four</text></a></svg><a href="data:text/html,x">five</a><a href="/api/run">six</a><a href="https://example.com/">good</a><math><mtext href="javascript:pwned()">m</mtext></math>',
  forms:
    '<form action="https://example.com/" id="f"><input name="q" autofocus accesskey="k"><button formaction="javascript:pwned()">Send</button></form><label for="q">text stays</label><div contenteditable>c</div>',
  "remote pictures":
    '<img src="https://example.com/a.png" srcset="https://example.com/b.png 2x"><svg><image href="https://example.com/c.png"/></svg><table background="https://example.com/d.png"><tr><td>t</td></tr></table><video src="https://example.com/f.mp4" poster="https://example.com/g.png"></video>',
  "remote pictures by style": `<div style="background:url(https://example.com/e.png);--x:\\\\75rl(https://example.com/h.png)">t</div><style>p { background: image-set("https://example.com/i.png" 1x) } @media all { .p { --u: url(https://example.com/j.png); cursor: url(https://example.com/k.png), auto; & i { background: url(https://example.com/l.png) } } } i { background: var(--u, red) }</style><p class="p">p <i>i</i></p><svg><rect fill="url(https://example.com/m.svg#a)" filter="url('https://example.com/n.svg#a')" width="9" height="9"/></svg>`,
  // of the collections of mutation XSS: harmless as they are parsed, not as they are parsed again
  "mutation 1":
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=pwned()&gt;">',
  "mutation 2":
    "<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=pwned()></style></mglyph></form>",
  "mutation 3": '<svg></p><style><a id="</style><img src=1 onerror=pwned()>">',
  "mutation 4": '<noscript><p title="</noscript><img src=x onerror=pwned()>">',
  "mutation 5":
    '<svg><foreignObject><math><annotation-xml encoding="text/html"><style></annotation-xml></math><img src=x onerror=pwned()></style>',
  "mutation 6":
    '<template shadowrootmode="open"><img src=x onerror=pwned()></template><xmp><img src=x onerror=pwned()></xmp><plaintext><img src=x onerror=pwned()>',
};
const NAMES = Object.keys(ATTACKS);
const LAST = NAMES.length + 1;

/** One cell an attack: as a cell of HTML, which shows without a run, or as what a cell of code shows. */
function hostileNotebook(isOutput: boolean): string {
  const cells = NAMES.map((name, at) => {
    const markup = ATTACKS[name] as string;
    const code = isOutput ? `html([${JSON.stringify(markup)}])` : markup;
    const type = isOutput ? "text/x-typescript" : "text/html";
    return `  <script id="${at + 1}" type="${type}">\n    ${code.replaceAll("</script", "<\\/script")}\n  </script>\n`;
  });
  const sentinel = `  <script id="${LAST}" type="text/x-typescript">\n    globalThis.ran = (globalThis.ran ?? 0) + 1;\n    "ran"\n  </script>\n`;
  return `<!doctype html>\n<notebook>\n  <title>Hostile</title>\n${cells.join("")}${sentinel}</notebook>\n`;
}

/** What stands inside all shadow roots, looked at from within the page. */
const LOOK = `(() => {
  const offenders = [];
  const targets = [];
  let roots = 0;
  for (const host of document.querySelectorAll("*")) {
    if (host.shadowRoot === null) continue;
    roots += 1;
    for (const node of host.shadowRoot.querySelectorAll("*")) {
      if (/^(script|meta|base|link|iframe|object|embed|form|input|button|dialog|video|template|style|animate|set|foreignobject)$/i.test(node.localName)) offenders.push(node.outerHTML.slice(0, 80));
      for (const { name, value } of node.attributes) {
        if (/^on|^(popover|srcset|action|formaction|autofocus|accesskey|contenteditable|background)/.test(name)) offenders.push(name + "=" + value);
        if (/(href|src)$/.test(name) && !/^(https:|data:image)/.test(value)) offenders.push(name + "=" + value);
        if (/(href)$/.test(name)) targets.push([value, node.getAttribute("target"), node.getAttribute("rel")]);
      }
    }
  }
  return { offenders, targets, roots, pwned: globalThis.pwnedCount, path: location.pathname };
})()`;

describe.skipIf(!existsSync(CHROMIUM))("markup in Chromium", () => {
  let browser: Browser;
  let stage: NotebookStage;
  let page: Page;
  const asked: string[] = [];

  beforeAll(async () => {
    // root may not use Chromium's sandbox, and CI is root
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    await page.context().close();
    await stage[Symbol.asyncDispose]();
  });

  /** @param bypassCSP takes the page's policy away, so that only the sanitiser stands between markup and code */
  async function newPage(bypassCSP: boolean, size = { width: 1200, height: 1000 }): Promise<void> {
    asked.length = 0;
    const context = await browser.newContext({ viewport: size, bypassCSP });
    page = await context.newPage();
    page.setDefaultTimeout(15_000);
    await page.addInitScript(
      "globalThis.pwnedCount = 0; globalThis.pwned = () => { globalThis.pwnedCount += 1; };",
    );
    page.on("request", (request) => asked.push(new URL(request.url()).host));
  }
  const evaluate = <Value>(code: string): Promise<Value> => page.evaluate(code) as Promise<Value>;
  interface Look {
    readonly offenders: readonly string[];
    readonly targets: readonly (readonly string[])[];
    readonly roots: number;
    readonly pwned: number;
    readonly path: string;
  }
  async function expectHarmless(path: string): Promise<void> {
    await page.waitForTimeout(600);
    const look = await evaluate<Look>(LOOK);
    expect(look).toMatchObject({ offenders: [], pwned: 0, path });
    expect(look.roots).toBe(NAMES.length);
    expect(look.targets).toEqual([["https://example.com/", "_blank", "noopener noreferrer"]]);
    // nothing is larger than its frame, and no frame is endless
    expect(await evaluate<number>("document.documentElement.scrollHeight")).toBeLessThan(60_000);
    expect(await evaluate<number>("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(
      0,
    );
    expect(await evaluate<string>("getComputedStyle(document.body).display")).toBe("block");
    // an unregistered property is inherited and has the theme's value
    for (const name of ["--accent", "--ink"])
      expect(
        await evaluate<string>(
          `getComputedStyle(document.querySelector("main")).getPropertyValue("${name}")`,
        ),
      ).toMatch(/^#/);
  }
  /** Who gets a click at points all over the page, where no output's own frame is. */
  const CLICKED = `(() => {
    const wrong = [];
    const frames = [...document.querySelectorAll(".markup-frame")].map((frame) => frame.getBoundingClientRect());
    for (let y = 3; y < innerHeight; y += 23) for (let x = 3; x < innerWidth; x += 37) {
      if (frames.some((box) => x >= box.left - 1 && x <= box.right + 1 && y >= box.top - 1 && y <= box.bottom + 1)) continue;
      if (document.elementFromPoint(x, y)?.closest(".markup-frame")) wrong.push([x, y]);
    }
    return wrong;
  })()`;

  eachSampled<[string, boolean, boolean]>([
    ["cells of HTML that never ran", false, false],
    ["cells of HTML that never ran, without the page's policy", false, true],
    ["outputs", true, false],
    ["outputs, without the page's policy", true, true],
  ])("stays in its frame and runs nothing: %s", async (_name, isOutput, bypassCSP) => {
    stage = await stageNotebook(hostileNotebook(isOutput));
    const session = await stage.open();
    if (isOutput) {
      session.run(NAMES.map((_each, at) => at + 1));
      await session.settled();
    }
    const { address, port } = await stage.serve(session);
    await newPage(bypassCSP);
    await page.goto(address);
    await page.locator(`section[data-id="${LAST}"]`).waitFor();
    await expectHarmless("/");
    for (const top of [0, 900, 1800]) {
      await evaluate(`scrollTo(0, ${top})`);
      expect(await evaluate(CLICKED), `scrolled to ${top}`).toEqual([]);
    }
    await evaluate("scrollTo(0, 0)");
    expect(new Set(asked)).toEqual(new Set([`127.0.0.1:${port}`]));
    // a click on what was the overlay runs nothing; the button that it wanted to cover works
    await page.mouse.click(600, 300);
    expect(session.stateOf(LAST).runs).toBe(0);
    await page.getByRole("button", { name: /Run notebook|Run stale/ }).click();
    await expect.poll(() => session.stateOf(LAST).status).toBe("done");
  });

  async function exportPage(
    session: Awaited<ReturnType<NotebookStage["open"]>>,
  ): Promise<{ target: string; stale: readonly number[] }> {
    const cells = session.cells().map(({ id, revision }) => {
      const { status } = session.stateOf(id);
      return { id, revision, status, error: null, outputs: session.outputsOf(id) };
    });
    const { html, stale } = await renderExport(session.document.notebook, { cells });
    const target = join(stage.folder, "export.html");
    await writeFile(target, html);
    return { target, stale };
  }

  it("exports a page that opens from disk and loads nothing", async () => {
    stage = await stageNotebook(
      notebookText([
        "# Title",
        'const k = view(ui.slider({ min: 1, max: 10, value: 3, label: "K" }));\nk + 4',
        'display(Plot.dot([[1, 2], [3, 4]]).plot());\ntable([{ a: 1, b: "<b>x</b>" }])',
      ]),
    );
    const session = await stage.open();
    session.run("all");
    await session.settled();
    const { target, stale } = await exportPage(session);
    expect(stale).toEqual([]);
    await newPage(false);
    await page.goto(pathToFileURL(target).href);
    await page.getByRole("heading", { name: "Title" }).waitFor();
    expect(asked).toEqual([""]);
    await expect.poll(() => page.locator("svg circle").count()).toBe(2);
    await expect.poll(() => page.locator("td").allInnerTexts()).toEqual(["1", "<b>x</b>"]);
    await expect.poll(() => page.getByText("K3").count()).toBe(1);
  });

  it("has the same frames in an app and in an exported page", { tags: ["long"] }, async () => {
    stage = await stageNotebook(hostileNotebook(true));
    const session = await stage.open();
    session.run("all");
    await session.settled();
    const { address } = await stage.serve(session, { mode: "app", agent: null });
    await newPage(true);
    await page.goto(address);
    await page.getByText("still here").waitFor();
    await expectHarmless("/");

    const { target } = await exportPage(session);
    for (const bypassCSP of [true, false]) {
      await page.context().close();
      await newPage(bypassCSP);
      await page.goto(pathToFileURL(target).href);
      await page.getByText("still here").waitFor();
      await expectHarmless(target);
      expect(asked, "only the file itself").toEqual([""]);
    }
  });

  it("lets charts keep the page's colours, and the keyboard open what is folded", async () => {
    stage = await stageNotebook(
      `<!doctype html>\n<notebook>\n  <script id="1" type="text/x-typescript">\n    Plot.dot([[1, 2]], { fill: "var(--series-1)" }).plot()\n  </script>\n  <script id="2" type="text/html">\n    <details><summary>More</summary><p class="quiet">inside</p></details>\n  </script>\n</notebook>\n`,
    );
    const session = await stage.open();
    session.run("all");
    const { address } = await stage.serve(session);
    await newPage(false);
    await page.goto(address);
    await page.locator("svg circle").waitFor();
    const color = (): Promise<string> =>
      evaluate(
        "getComputedStyle(document.querySelector('.markup-frame > div').shadowRoot.querySelector('circle')).fill",
      );
    await expect.poll(color).toBe("rgb(0, 103, 163)");
    await page.emulateMedia({ colorScheme: "dark" });
    await expect.poll(color).toBe("rgb(100, 185, 238)");
    await page.locator("summary").focus();
    await page.keyboard.press("Enter");
    await page.getByText("inside", { exact: true }).waitFor({ state: "visible" });
  });

  it("comes in by the address with the token, from a file too, and leaves it out of the address bar", async () => {
    stage = await stageNotebook("<notebook>\n  <script id='1' type='module'>1</script>\n</notebook>\n");
    const { address, token, entered } = await stage.serve(await stage.open(), { hasToken: true });
    const file = join(stage.folder, "open.html");
    await writeFile(file, `<meta http-equiv="refresh" content="0;url=${address}">`);
    await newPage(false);
    await page.goto(pathToFileURL(file).href);
    await page.locator("section[data-id='1']").waitFor();
    await entered;
    await expect.poll(() => page.url()).not.toContain(token);
    expect(await readFile(stage.path, "utf8")).toContain("<notebook>");
    // somebody else's browser does not come in
    const stranger = await browser.newContext();
    const answer = await (await stranger.newPage()).goto(new URL("/", address).href);
    expect(answer?.status()).toBe(401);
    await stranger.close();
  });
});
