import { csvFormatRows } from "d3-dsv";
import { formatNumber, formatPValue, formatSigned } from "../text/format-numbers.ts";
import { html, type SafeHtml } from "./html.ts";

/** A table of the report: on its page, and as files for papers. */
export interface Table {
  /** Of its files, without extension. */
  readonly name: string;
  /** What it shows, and of which questions. */
  readonly title: string;
  readonly columns: readonly TableColumn[];
  readonly rows: readonly TableRow[];
  /** Below it; null for none. */
  readonly note: string | null;
}

interface TableColumn {
  /** Heading of the page, of LaTeX and of Markdown. */
  readonly title: string;
  /** Heading of the CSV file. */
  readonly key: string;
  readonly align?: "left" | "right";
}

interface TableRow {
  /** Heading above this row, where it differs from that of the row before. */
  readonly group?: string;
  readonly cells: readonly Cell[];
}

/** A value with how it is shown. */
export interface Cell {
  readonly text: string;
  /** In the CSV file; null is an empty field. */
  readonly value: string | number | null;
  /** best: of its column. missed: a target that was not reached. */
  readonly mark?: "best" | "missed";
}

export const textCell = (value: string): Cell => ({ text: value, value });

export const numberCell = (value: number | null | undefined, decimals = 3): Cell => ({
  text: formatNumber(value ?? null, decimals),
  value: value ?? null,
});

/** A difference, with its sign. */
export const signedCell = (value: number | null | undefined): Cell => ({
  text: formatSigned(value ?? null),
  value: value ?? null,
});

/** @param permutations which it is from, if it is from some: they bound how small it can be */
export const pValueCell = (value: number | null | undefined, permutations: number | null = null): Cell => ({
  text: formatPValue(value ?? null, permutations),
  value: value ?? null,
});

/** Rows, each with its heading where that differs from the one of the row before. */
export function groupRows<Item>(
  items: readonly Item[],
  groupOf: (item: Item) => string,
  cellsOf: (item: Item, index: number) => readonly Cell[],
): TableRow[] {
  let group = "";
  return items.map((item, index) => {
    const next = groupOf(item);
    const isNew = next !== group;
    group = next;
    return { ...(isNew ? { group: next } : {}), cells: cellsOf(item, index) };
  });
}

/** Marks the highest value of a column, or the lowest; all that are as good. */
export function markBest(cells: readonly Cell[], isLowerBetter = false): Cell[] {
  const known = cells.flatMap(({ value }) => (typeof value === "number" ? [value] : []));
  const best = isLowerBetter ? Math.min(...known) : Math.max(...known);
  return cells.map((cell) => (cell.value === best ? { ...cell, mark: "best" } : cell));
}

/** File formats of tables. */
export const TABLE_FORMATS = ["csv", "tex", "md"] as const;
type TableFormat = (typeof TABLE_FORMATS)[number];

/** A table as a file's text. */
export function formatTable(table: Table, format: TableFormat): string {
  if (format === "csv") return formatCsv(table);
  return format === "tex" ? formatLatex(table) : formatMarkdown(table);
}

const isMissed = ({ rows }: Table): boolean =>
  rows.some(({ cells }) => cells.some(({ mark }) => mark === "missed"));

/** RFC 4180, line feeds; numbers in full. */
function formatCsv({ columns, rows }: Table): string {
  const grouped = rows.some(({ group }) => group !== undefined);
  const head = [...(grouped ? ["group"] : []), ...columns.map(({ key }) => key)];
  let group = "";
  const lines = rows.map((row) => {
    group = row.group ?? group;
    return [
      ...(grouped ? [group] : []),
      ...row.cells.map(({ value }) => (value === null ? "" : String(value))),
    ];
  });
  return `${csvFormatRows([head, ...lines])}\n`;
}

/** A `table` float in the style of booktabs; the best value is bold, a missed target has a dagger. */
function formatLatex(table: Table): string {
  const { name, title, columns, rows, note } = table;
  const spec = columns.map(({ align }) => (align === "left" ? "l" : "r")).join("");
  const line = (cells: readonly string[]): string => `    ${cells.join(" & ")} \\\\`;
  const body = rows.flatMap((row, i) => [
    ...(row.group === undefined
      ? []
      : [
          ...(i === 0 ? [] : ["    \\addlinespace"]),
          line([`\\multicolumn{${columns.length}}{l}{\\emph{${escapeLatex(row.group)}}}`]),
        ]),
    line(row.cells.map(latexCell)),
  ]);
  const notes = [...(note === null ? [] : [note]), ...(isMissed(table) ? [MISSED_NOTE] : [])];
  return [
    "% \\usepackage{booktabs}",
    "\\begin{table}",
    "  \\centering",
    `  \\caption{${[title, ...notes].map((text) => escapeLatex(endSentence(text))).join(" ")}}`,
    `  \\label{tab:${name}}`,
    `  \\begin{tabular}{${spec}}`,
    "    \\toprule",
    line(columns.map((column) => escapeLatex(column.title))),
    "    \\midrule",
    ...body,
    "    \\bottomrule",
    "  \\end{tabular}",
    "\\end{table}",
    "",
  ].join("\n");
}

const MISSED_NOTE = "† marks a target that was missed.";

const endSentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

function latexCell({ text, mark }: Cell): string {
  const escaped = escapeLatex(text);
  if (mark === "best") return `\\textbf{${escaped}}`;
  return mark === "missed" ? `${escaped}\\textsuperscript{\\dag}` : escaped;
}

const LATEX: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "<": "$<$",
  ">": "$>$",
  "≤": "$\\leq$",
  "≥": "$\\geq$",
  "−": "$-$",
  "×": "$\\times$",
  "†": "\\dag{}",
};

const escapeLatex = (text: string): string =>
  text.replace(/[\\~^<>≤≥−×†&%$#_{}]/g, (character) => LATEX[character] ?? `\\${character}`);

/** GitHub's tables; the best value is bold, a missed target has a dagger. */
function formatMarkdown(table: Table): string {
  const { title, columns, rows, note } = table;
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const body = rows.flatMap((row) => [
    ...(row.group === undefined
      ? []
      : [line(columns.map((_, j) => (j === 0 ? `*${escapePipes(row.group!)}*` : "")))]),
    line(row.cells.map(markdownCell)),
  ]);
  const notes = [...(note === null ? [] : [note]), ...(isMissed(table) ? [MISSED_NOTE] : [])];
  return [
    `**${title}**`,
    "",
    line(columns.map((column) => escapePipes(column.title))),
    line(columns.map(({ align }) => (align === "left" ? "---" : "---:"))),
    ...body,
    ...(notes.length === 0 ? [] : ["", notes.map(endSentence).join(" ")]),
    "",
  ].join("\n");
}

function markdownCell({ text, mark }: Cell): string {
  const escaped = escapePipes(text);
  if (mark === "best") return `**${escaped}**`;
  return mark === "missed" ? `${escaped} †` : escaped;
}

const escapePipes = (text: string): string =>
  text.replace(/\\/g, "\\\\").replace(/\|/g, "\\|").replace(/\s+/g, " ");

/** A table on a page, with links to its files. */
export function drawTable(table: Table, { folder }: { readonly folder: string }): SafeHtml {
  const { name, title, columns, rows, note } = table;
  const links = TABLE_FORMATS.map(
    (format) =>
      html`<a href="${folder}/${name}.${format}" aria-label="${title}, ${name}: ${FORMAT_TITLES[format]} file">${FORMAT_TITLES[format]}</a> `,
  );
  return html`<div class="wide" role="region" tabindex="0" aria-label="${title}"><table>
<caption>${title}</caption>
<thead><tr>${columns.map(({ title: head, align }) => html`<th scope="col"${classOf(align)}>${head}</th>`)}</tr></thead>
<tbody>${rows.flatMap((row) => [
    ...(row.group === undefined
      ? []
      : [html`<tr class="group"><th scope="rowgroup" colspan="${columns.length}">${row.group}</th></tr>`]),
    html`<tr>${row.cells.map((cell, j) => drawCell(cell, columns[j]!, j === 0))}</tr>`,
  ])}</tbody></table></div>
${note === null && !isMissed(table) ? "" : html`<p class="quiet under">${[...(note === null ? [] : [note]), ...(isMissed(table) ? [MISSED_NOTE] : [])].join(" ")}</p>`}<p class="files">${links}</p>`;
}

const FORMAT_TITLES: Readonly<Record<TableFormat, string>> = { csv: "CSV", tex: "LaTeX", md: "Markdown" };

function drawCell({ text, mark }: Cell, { align }: TableColumn, isFirst: boolean): SafeHtml {
  const shown =
    mark === "best"
      ? html`<strong>${text}</strong>`
      : mark === "missed"
        ? html`<span class="missed">${text} †</span>`
        : html`${text}`;
  return isFirst
    ? html`<th scope="row"${classOf(align)}>${shown}</th>`
    : html`<td${classOf(align)}>${shown}</td>`;
}

/** Cells are aligned to the right, as numbers are, unless they say otherwise. */
const classOf = (align: TableColumn["align"]): SafeHtml => (align === "left" ? html` class="left"` : html``);
