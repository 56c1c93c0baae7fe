import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { SepError } from "semantic-entropy-probes/files";
import { escapeHtml } from "../kernel/show-value.ts";
import type { AnalyzedNotebook } from "../session/analyze-notebook.ts";
import type { NotebookResults } from "../storage-folder.ts";
import type { ControlValue, Output, TableOutput } from "../wire.ts";

export interface ExportOptions {
  /** Show the code of the cells, folded away. */
  readonly showsCode?: boolean;
}

/** A notebook as one page that loads nothing. Its only script is the one that sanitises and draws markup. */
export interface ExportedNotebook {
  readonly html: string;
  /** Cells whose results are of older code, or that have none. */
  readonly stale: readonly number[];
}

/**
 * Makes a page of a notebook's last results. Inputs are shown with their last values.
 * @throws SepError `missing-input` if the package was not built
 */
export async function renderExport(
  { file, cells }: AnalyzedNotebook,
  results: NotebookResults,
  { showsCode = false }: ExportOptions = {},
): Promise<ExportedNotebook> {
  const resultOf = new Map(results.cells.map((result) => [result.id, result]));
  const stale: number[] = [];
  const sections = cells.map(({ cell, revision, kernelCell }) => {
    const result = resultOf.get(cell.id);
    const isMissing =
      kernelCell !== null &&
      !cell.disabled &&
      (result === undefined || result.revision !== revision || result.status === "stale");
    if (isMissing) stale.push(cell.id);
    const outputs = (result?.outputs ?? []).map(drawOutput).join("\n");
    const error = result?.error
      ? `<div class="error"><strong>${escapeHtml(result.error)}</strong></div>`
      : "";
    const code =
      showsCode && cell.kind !== "markdown"
        ? `<details class="source"><summary>Code</summary><pre>${escapeHtml(cell.source)}</pre></details>`
        : "";
    return outputs + error + code === ""
      ? ""
      : `<section class="cell"><div class="body"><div class="outputs">${outputs}</div>${error}${code}</div></section>`;
  });
  const script = await readPagePart("export-page.js");
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy(script)}">
<title>${escapeHtml(file.title)}</title>
<style>${await readPagePart("page.css")}${EXTRA_STYLE}</style>
</head>
<body class="app-mode">
<noscript>Text and figures are drawn by the page's own script, but JavaScript is turned off.</noscript>
<main>
${sections.filter((section) => section !== "").join("\n")}
</main>
<script>${script}</script>
</body>
</html>
`;
  return { html, stale };
}

/** Draws an output statically, without any interaction. */
function drawOutput(output: Output): string {
  switch (output.kind) {
    case "text":
      return `<pre class="text">${escapeHtml(output.text)}</pre>`;
    case "log":
      return `<pre class="log ${escapeHtml(output.level)}">${escapeHtml(output.text)}</pre>`;
    case "html":
      // as data, so that nothing parses it as elements before it is sanitised
      return `<script type="application/json">${JSON.stringify(output).replaceAll("<", "\\u003c")}</script>`;
    case "table":
      return drawTable(output);
    default:
      return drawControl(output);
  }
}

function drawControl({ control, value }: Extract<Output, { kind: "control" }>): string {
  if (control.type === "table") return drawTable(control.table);
  if (control.type === "button" || control.type === "run-button") return "";
  return `<div class="control"><span class="label">${escapeHtml(control.label)}</span><b>${escapeHtml(describeValue(value))}</b></div>`;
}

function describeValue(value: ControlValue): string {
  if (value === null) return "–";
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "object" && "name" in value ? value.name : String(value);
}

function drawTable({ columns, rows, total }: TableOutput): string {
  const kind = (at: number): string => (columns[at]?.isNumeric ? ' class="numeric"' : "");
  const head = columns.map(({ name }, at) => `<th scope="col"${kind(at)}>${escapeHtml(name)}</th>`).join("");
  const body = rows
    .slice(0, MAX_ROWS)
    .map((row) => `<tr>${row.map((text, at) => `<td${kind(at)}>${escapeHtml(text)}</td>`).join("")}</tr>`);
  const more = total > MAX_ROWS ? `<div class="table-foot">The first ${MAX_ROWS} of ${total} rows</div>` : "";
  return `<div class="table"><div class="table-scroll"><table><thead><tr>${head}</tr></thead><tbody>${body.join("")}</tbody></table></div>${more}</div>`;
}

/** Lets the page's own script run, by its hash, and nothing else; markup reaches the document through the sanitiser only. */
function contentPolicy(script: string): string {
  const hash = createHash("sha256").update(script).digest("base64");
  return [
    "default-src 'none'",
    `script-src 'sha256-${hash}'`,
    "style-src 'unsafe-inline'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types dompurify",
  ].join("; ");
}

async function readPagePart(name: string): Promise<string> {
  try {
    return await readFile(new URL(`../page/${name}`, import.meta.url), "utf8");
  } catch (error) {
    throw new SepError(
      "missing-input",
      `The page's ${name} is not built. Run \`npm run build\` in the package.`,
      { cause: error },
    );
  }
}

/** Exported tables are scrolled, not paged. */
const MAX_ROWS = 200;
const EXTRA_STYLE = `
.table-scroll { max-height: 30rem; overflow: auto; } .table th { padding: .35rem .75rem; font-size: .8rem; color: var(--quiet); }
.source { margin: .4rem 0; font-size: .8rem; color: var(--quiet); } .source pre { background: var(--panel); border-radius: .5rem; padding: .6rem .8rem; }`;
