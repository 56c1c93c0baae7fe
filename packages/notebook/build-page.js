import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const shared = {
  bundle: true,
  minify: true,
  target: "es2022",
  outdir: here("dist/page"),
  legalComments: "eof",
  logLevel: "warning",
};

/** Bundles the page into two files, which the server hands out and nothing else. */
await build({ ...shared, entryPoints: [here("src/page/page.ts"), here("src/page/page.css")], format: "esm" });
/** The script that goes into an exported page. */
await build({ ...shared, entryPoints: [here("src/page/export-page.ts")], format: "iife" });
