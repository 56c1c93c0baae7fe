import { existsSync } from "node:fs";
import { mkdtemp, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { type Browser, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { assessRisk } from "../src/probes/assess-risk.ts";
import { assertStates } from "../src/probes/score-probe.ts";
import { saveProbe } from "../src/study/probe-files.ts";
import { makeProbe } from "./fakes/make-probe.ts";

/** Debian's package, or what the environment names; CI installs it. */
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const DIST = fileURLToPath(new URL("../dist/", import.meta.url));

const PLACE = { position: "think-end", layer: 2, width: 2, normState: "residual" } as const;
const PAGE = `<!doctype html><script type="module">
  import * as portable from "/dist/probes/portable-probe.js";
  globalThis.portable = portable;
</script>`;

it("the entry for browsers needs no module but this package's own, and little of that", async () => {
  const { metafile } = await build({
    entryPoints: [join(DIST, "probes/portable-probe.js")],
    bundle: true,
    format: "esm",
    platform: "browser", // an import of Node's would be an error
    minify: true,
    write: false,
    metafile: true,
  });
  const inputs = Object.keys(metafile.inputs);
  expect(inputs.every((path) => path.includes("dist/") && !path.includes("node_modules"))).toBe(true);
  expect(inputs.length).toBeGreaterThan(5);
  const [output] = Object.values(metafile.outputs);
  expect(output!.bytes).toBeLessThan(18_000);
});

describe.skipIf(!existsSync(CHROMIUM))("in Chromium, unbundled", () => {
  let browser: Browser;
  let server: Server;
  let origin: string;
  const probe = makeProbe();
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "sep-portable-"));
    await saveProbe(join(folder, "se_probe.json"), probe);
    const types: Record<string, string> = { js: "text/javascript", html: "text/html" };
    server = createServer(async (request, response) => {
      const path = new URL(request.url!, "http://x").pathname;
      const file = path.startsWith("/dist/") ? join(DIST, path.slice(6)) : join(folder, path);
      const content = path === "/" ? PAGE : await readFile(file).catch(() => null);
      const ending = path === "/" ? "html" : path.split(".").at(-1)!;
      response.writeHead(content === null ? 404 : 200, {
        "content-type": types[ending] ?? "application/octet-stream",
      });
      response.end(content);
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    origin = `http://localhost:${(server.address() as AddressInfo).port}`;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu"] });
  });
  afterAll(async () => {
    await browser.close();
    server.close();
  });

  it("fetches a probe, scores a matrix as Node does, and refuses the wrong model", async () => {
    const page = await browser.newPage();
    await page.goto(origin);
    await page.waitForFunction(() => "portable" in globalThis);
    const features = [1, 2, 3, 1, -4.5, 0.125];
    const [found, refusal] = await page.evaluate(
      async ([values, at]) => {
        const { portable } = globalThis as unknown as {
          portable: typeof import("../src/probes/portable-probe.ts");
        };
        const loaded = await portable.fetchProbe(`${at}/se_probe.json`);
        const refused = ((): string => {
          try {
            portable.requireProbeFits(loaded, { width: 2, source: { model: "other" } });
            return "accepted";
          } catch (error) {
            return `${(error as { code: string }).code}: ${(error as Error).message}`;
          }
        })();
        const states = portable.assertStates(values as number[], {
          position: "think-end",
          layer: 2,
          width: 2,
          normState: "residual",
        });
        return [portable.assessRisk(loaded, states), refused] as const;
      },
      [features, origin] as const,
    );
    for (const [i, { score, risk }] of assessRisk(probe, assertStates(features, PLACE)).entries()) {
      // another version of V8 may round an exponential the other way
      expect(Math.abs(found[i]!.score / score - 1)).toBeLessThan(1e-15);
      expect(Math.abs(found[i]!.risk! / risk! - 1)).toBeLessThan(1e-15);
      expect(found[i]!.decision).toBeNull();
    }
    expect(refusal).toMatch(/^probe-mismatch: .*"m".*"other"/);
    await page.close();
  });
});
