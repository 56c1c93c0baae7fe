import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { openOrtWeb, type WebBuild } from "../src/engine/engine.ts";
import { expectAllClose, scaleOf } from "./expect-all-close.ts";
import { type Computed, compute, openPocket } from "./fakes/compute-pocket.ts";

/** Debian's package, or what the environment names; CI installs it. */
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const ROOT = fileURLToPath(new URL("../", import.meta.url));
/** float32 sums in another order; measured: at most 1e-6 of the residuals' scale. */
const RELATIVE_TOLERANCE = 1e-5;
/** Other kernels, of a driver that may reorder sums and contract products. */
const GPU_TOLERANCE = 1e-3;

/** Bundles a file as a page does, and says what it imports from outside. */
async function bundle(entry: string): Promise<{ readonly code: string; readonly imports: string[] }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [join(ROOT, entry)],
    bundle: true,
    format: "esm",
    platform: "browser", // an import of Node's would be an error
    external: ["onnxruntime-web"],
    write: false,
    metafile: true,
  });
  const outside = Object.values(metafile.outputs)
    .flatMap(({ imports }) => imports)
    .filter(({ external }) => external);
  return { code: outputFiles[0]?.text ?? "", imports: outside.map(({ path }) => path) };
}

describe("the entries for browsers", () => {
  it("need nothing of Node, and the engine nothing but onnxruntime-web, once it is asked for", async () => {
    expect((await bundle("src/probes/portable-probe.ts")).imports).toEqual([]);
    expect((await bundle("src/entropy/portable-entropy.ts")).imports).toEqual([]);
    const builds = ["onnxruntime-web/wasm", "onnxruntime-web/jspi"];
    expect((await bundle("src/engine/engine.ts")).imports).toEqual(builds);
  });
});

describe("the embedded model on onnxruntime-web", () => {
  let expected: Computed;
  beforeAll(async () => {
    await using model = await loadModel("pocket", { threads: 1 });
    expected = await compute(model);
  });

  function expectSame(computed: Computed, device = "cpu", tolerance = RELATIVE_TOLERANCE): void {
    expect(computed.provenance).toEqual({ ...(expected.provenance as object), device });
    expect(computed.texts).toEqual(expected.texts);
    expect(computed.tokenIds).toEqual(expected.tokenIds);
    const { residuals } = expected;
    expectAllClose(computed.residuals, residuals, tolerance * scaleOf(residuals));
  }

  it("gives onnxruntime-node's tokens and residuals in Node", async () => {
    expect(expected.tokenIds.every(({ length }) => length > 1)).toBe(true);
    const read = (name: string): Promise<Uint8Array> => readFile(join(ROOT, "models/pocket", name));
    await using model = await openPocket(await openOrtWeb(), read);
    expectSame(await compute(model));
  });

  it.skipIf(!existsSync(CHROMIUM))(
    "gives the same in Chromium, where eval and other hosts are forbidden",
    async () => {
      expectSame(await computeInChromium("wasm", ["--disable-gpu"]));
    },
  );

  it.skipIf(!existsSync(CHROMIUM))(
    "gives the same on WebGPU, on an adapter that is computed on the CPU",
    { tags: ["long"], timeout: 400_000 },
    async () => {
      const computed = await computeInChromium("webgpu", [
        "--enable-unsafe-webgpu",
        "--use-webgpu-adapter=swiftshader",
      ]);
      expectSame(computed, "webgpu", GPU_TOLERANCE);
    },
  );
});

async function computeInChromium(build: WebBuild, args: readonly string[]): Promise<Computed> {
  const { code } = await bundle("test/fakes/compute-pocket.ts");
  await using server = await servePage(code);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", ...args] });
  try {
    const page = await browser.newPage();
    await page.goto(server.origin);
    await page.waitForFunction(() => "computeInPage" in globalThis);
    return await page.evaluate(
      (wanted) =>
        (globalThis as unknown as { computeInPage(build: string): Promise<Computed> }).computeInPage(wanted),
      build,
    );
  } finally {
    await browser.close();
  }
}

const PAGE = `<!doctype html>
<script type="importmap">
  { "imports": { "onnxruntime-web/wasm": "/ort/ort.wasm.min.mjs", "onnxruntime-web/jspi": "/ort/ort.jspi.min.mjs" } }
</script>
<script type="module">
  import { computeInPage } from "/page.js";
  globalThis.computeInPage = computeInPage;
</script>`;

const POLICY = "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'";

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript",
  mjs: "text/javascript",
  wasm: "application/wasm",
};

async function servePage(code: string): Promise<AsyncDisposable & { readonly origin: string }> {
  const folders: Readonly<Record<string, string>> = {
    "/ort/": join(ROOT, "node_modules/onnxruntime-web/dist"),
    "/pocket/": join(ROOT, "models/pocket"),
  };
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://x");
    const name = basename(pathname);
    const folder = folders[pathname.slice(0, -name.length)];
    const content =
      pathname === "/"
        ? PAGE
        : pathname === "/page.js"
          ? code
          : folder === undefined
            ? null
            : await readFile(join(folder, name)).catch(() => null);
    response.writeHead(content === null ? 404 : 200, {
      "content-type": pathname === "/" ? "text/html" : (TYPES[name.split(".").at(-1) ?? ""] ?? "text/plain"),
      "content-security-policy": POLICY,
    });
    response.end(content);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
