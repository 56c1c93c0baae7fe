import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Bundles the page into two files, which the server hands out and nothing else. */
await build({
  entryPoints: [here("page.ts"), here("page.css")],
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  outdir: here("../../../dist/notebook/page"),
  legalComments: "none",
  logLevel: "warning",
});
