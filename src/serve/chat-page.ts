import { readFile } from "node:fs/promises";
import type { Hono } from "hono";
import { SepError } from "../errors.ts";

/** The files that the page consists of, by path. The list is fixed: no request's path is looked up on disk. */
const PAGE_FILES = [
  { path: "/", name: "index.html", type: "text/html" },
  { path: "/page.js", name: "page.js", type: "text/javascript" },
  { path: "/page.css", name: "page.css", type: "text/css" },
] as const;

/** The same folder from `src/` and from `dist/`: what the build has made of `page/`. */
const BUILT = new URL("../../dist/serve/page/", import.meta.url);

/** `GET /`: a chat whose tokens are tinted by their risk. */
export function addChatPage(app: Hono): void {
  for (const { path, name, type } of PAGE_FILES)
    app.get(path, async (c) =>
      c.body(await readBuilt(name), 200, { "content-type": `${type}; charset=utf-8` }),
    );
}

async function readBuilt(name: string): Promise<string> {
  try {
    return await readFile(new URL(name, BUILT), "utf8");
  } catch (error) {
    throw new SepError("missing-input", `The page's ${name} is not built. Run \`npm run build\`.`, {
      cause: error,
    });
  }
}
