import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const shared = {
  bundle: true,
  minify: true,
  target: "es2022",
  outdir: here("../../../dist/notebook/page"),
  legalComments: "eof",
  logLevel: "warning",
};

/** Bundles the page into two files, which the server hands out and nothing else. */
await build({ ...shared, entryPoints: [here("page.ts"), here("page.css")], format: "esm" });
/** The script that goes into an exported page. */
await build({ ...shared, entryPoints: [here("export-page.ts")], format: "iife" });
