import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type DefaultTheme, defineConfig, type MarkdownOptions } from "vitepress";
import { type ContentsItem, readContents, slugify } from "./contents.ts";
import { ANY_BASE, makeRelocatable } from "./relocate.ts";

/** Three answers of one meaning, and one of another. */
const ICON =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><g fill="#4f8fd0"><circle cx="4" cy="4" r="3"/><circle cx="12" cy="4" r="3"/><circle cx="4" cy="12" r="3"/></g><circle cx="12" cy="12" r="3" fill="#e0912f"/></svg>';
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const { description } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as { description: string };

type MarkdownIt = Parameters<NonNullable<MarkdownOptions["config"]>>[0];

/**
 * Links as the site has them: README.md is its first page, and files of the repository that are no pages, such as the
 * Dockerfile, are named without a link.
 */
function adaptLinks(md: MarkdownIt): void {
  md.core.ruler.push("adapt-links", ({ tokens, env }) => {
    for (const { children } of tokens) {
      let isDropping = false;
      for (const token of children ?? []) {
        const href = token.attrGet("href");
        if (token.type === "link_open" && href !== null && !/^(?:[a-z]+:|#)/.test(href)) {
          const [path = "", anchor] = href.split("#");
          const file = relative(ROOT, resolve(dirname((env as { path: string }).path), path));
          isDropping = !path.endsWith(".md");
          if (file === "README.md")
            token.attrSet("href", path.replace(/README\.md$/, "index.md") + (anchor ? `#${anchor}` : ""));
        }
        if (isDropping && /^link_/.test(token.type)) {
          if (token.type === "link_close") isDropping = false;
          Object.assign(token, { type: "text", tag: "", content: "", nesting: 0 });
        }
      }
    }
  });
}

/**
 * The four parts are open, groups within them are not. A heading leads to itself in the contents: VitePress would make a button of
 * one without a link, with a second one in it, which screen readers do not find.
 */
const toSidebar = ({ text, link, items }: ContentsItem, depth: number): DefaultTheme.SidebarItem => ({
  text,
  link: link ?? `/docs/#${slugify(text)}`,
  ...(items === undefined
    ? {}
    : { items: items.map((item) => toSidebar(item, depth + 1)), collapsed: depth > 0 }),
});

export default defineConfig({
  title: "semantic-entropy-probes",
  description,
  lang: "en-US",
  // a server for writing needs none
  base: process.argv.includes("dev") ? "/" : ANY_BASE,
  // the whole repository, so that README and docs link to each other as they do on GitHub
  srcDir: "..",
  srcExclude: [
    "{.ci,.github,api,apps,dist,notebooks,questions,site,src,test}/**",
    "packages/*/{src,test}/**",
  ],
  rewrites: { "README.md": "index.md" },
  outDir: "../site",
  cacheDir: "../node_modules/.cache/vitepress",
  markdown: {
    anchor: { slugify },
    config: adaptLinks,
    theme: { light: "github-light-high-contrast", dark: "github-dark-high-contrast" },
  },
  // the largest is the index of the local search
  vite: { build: { chunkSizeWarningLimit: 2000 } },
  head: [["link", { rel: "icon", href: `data:image/svg+xml,${encodeURIComponent(ICON)}` }]],
  themeConfig: {
    nav: [
      { text: "Documentation", link: "/docs/" },
      { text: "Browser page", link: "/page/", target: "_self" },
      { text: "API", link: "/api/", target: "_self" },
      { text: "Changes", link: "/CHANGELOG" },
    ],
    sidebar: [{ text: "Documentation", link: "/docs/" }, ...readContents().map((part) => toSidebar(part, 0))],
    outline: [2, 3],
    search: { provider: "local" },
  },
  buildEnd: ({ outDir }) => makeRelocatable(outDir),
});
