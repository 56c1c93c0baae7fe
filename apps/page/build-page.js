import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { zipSync } from "fflate";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const outdir = here("../../dist/page");
const ort = dirname(createRequire(import.meta.url).resolve("onnxruntime-web/wasm"));

/**
 * Everything of a page but its model: the page and its worker, and onnxruntime's two builds, which the worker unpacks. Each
 * build is in a chunk of its own, of which a visitor loads one.
 */
await rm(outdir, { recursive: true, force: true });
await build({
  bundle: true,
  minify: true,
  splitting: true,
  target: "es2023",
  format: "esm",
  outdir,
  chunkNames: "[name]-[hash]",
  legalComments: "eof",
  logLevel: "warning",
  entryPoints: [here("src/page.tsx"), here("src/engine-worker.ts"), here("src/page.css")],
});
await copyFile(here("src/index.html"), join(outdir, "index.html"));
for (const [name, file] of [
  ["wasm", "ort-wasm-simd-threaded.wasm"],
  ["webgpu", "ort-wasm-simd-threaded.jspi.wasm"],
]) {
  const files = { "ort.wasm": await readFile(join(ort, file)) };
  // without a time, so that the same files give the same bytes
  await writeFile(join(outdir, `${name}.zip`), zipSync(files, { level: 9, mtime: new Date(1980, 0, 1, 12) }));
}
