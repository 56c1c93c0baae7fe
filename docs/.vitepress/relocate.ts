import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";

/** The base that the site is built with, in whose place {@link makeRelocatable} puts the one that it is served under. */
export const ANY_BASE = "/any-base-of-the-site/";

/** Where a page's own scripts find the base: it is known when the page is opened, and not before. */
const BASE = "window.__SITE_BASE__";

/**
 * Makes a built site work under any path: VitePress builds for one. In HTML, and in style sheets, the base becomes a relative path;
 * in scripts, a variable that each page sets from its own address.
 */
export function makeRelocatable(folder: string): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const up = "../".repeat(name.split("/").length - 1) || "./";
    const rewrite = REWRITES[extname(name)];
    if (rewrite === undefined) continue;
    const path = join(folder, name);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, name.includes("@localSearchIndex") ? relocateIndex(text) : rewrite(text, up));
  }
}

const LITERAL = new RegExp(`(["'])${ANY_BASE}([^"'\\\\]*)\\1`, "g");

const REWRITES: Readonly<Record<string, (text: string, up: string) => string>> = {
  ".html": (text, up) =>
    text
      .replace(
        "<head>",
        `<head>\n    <script>${BASE}=new URL(${JSON.stringify(up)},location.href).pathname</script>`,
      )
      .replace(
        /(window\.__VP_SITE_DATA__=JSON\.parse\("(?:[^"\\]|\\.)*"\))/,
        `$1;window.__VP_SITE_DATA__.base=${BASE}`,
      )
      .replaceAll(`"${ANY_BASE}`, `"${up}`),
  ".css": (text, up) => text.replaceAll(ANY_BASE, up),
  ".js": (text) => text.replace(LITERAL, `(${BASE}+$1$2$1)`).replaceAll(`\`${ANY_BASE}`, `\`\${${BASE}}`),
};

/** The index of the search is one text of JSON, whose addresses are replaced when it is loaded. */
const relocateIndex = (text: string): string =>
  text.replace(
    /export\s*\{\s*(\w+) as default\s*\};?\s*$/,
    `const relocated=$1.replaceAll(${JSON.stringify(ANY_BASE)},${BASE});export{relocated as default};`,
  );
