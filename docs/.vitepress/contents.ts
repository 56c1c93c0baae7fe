import { readFileSync } from "node:fs";

/** A page, or a heading with pages below it, as the site's sidebar shows it. */
export interface ContentsItem {
  readonly text: string;
  /** Path of the page from the repository's root, without `.md`. */
  readonly link?: string;
  readonly items?: readonly ContentsItem[];
}

const DOCS = new URL("../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, DOCS), "utf8");

/**
 * The contents of docs/index.md: `##` and `###` headings, and below them the first link of each list item. The sidebar is
 * made from it, so that no second list exists. Below the command line are the pages of its commands, as docs/cli.md has them.
 */
export function readContents(): ContentsItem[] {
  const parts: { text: string; items: ContentsItem[] }[] = [];
  let items: ContentsItem[] = [];
  for (const line of read("index.md").split("\n")) {
    const [, marks, heading] = /^(##+) (.*)/.exec(line) ?? [];
    if (marks === "##") {
      items = [];
      parts.push({ text: heading as string, items });
    }
    if (marks === "###") {
      items = [];
      parts.at(-1)?.items.push({ text: heading as string, items });
    }
    const [, text, page] = /^- \[([^\]]+)\]\(([^)]+)\.md\)/.exec(line) ?? [];
    if (text === undefined) continue;
    items.push({ text, link: `/docs/${page}`, ...(page === "cli" ? { items: readCommands() } : {}) });
  }
  return parts;
}

function readCommands(): ContentsItem[] {
  const pages = [...read("cli.md").matchAll(/^\| \[`sep [^\]]+`\]\(cli\/([a-z-]+)\.md\)/gm)].map(
    ([, page]) => page,
  );
  return [...new Set(pages)].map((page) => ({ text: `sep ${page}`, link: `/docs/cli/${page}` }));
}

/** All pages of the contents, in order, without those that only a heading has. */
export const listPages = (items: readonly ContentsItem[]): string[] =>
  items.flatMap(({ link, items: below = [] }) => [
    ...(link === undefined ? [] : [link]),
    ...listPages(below),
  ]);

/**
 * The anchor of a heading as GitHub makes it, so that links work there and on the site: lower case, spaces as dashes, letters,
 * digits, dashes and underscores only.
 */
export const slugify = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, "")
    .replaceAll(" ", "-");
