import { copyFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const outdir = here("../../../dist/serve/page");

/** The three files of the page, which the server hands out as they are. */
await build({
  bundle: true,
  minify: true,
  target: "es2022",
  format: "esm",
  outdir,
  legalComments: "eof",
  logLevel: "warning",
  entryPoints: [here("page.ts"), here("page.css")],
});
await copyFile(here("index.html"), `${outdir}/index.html`);
