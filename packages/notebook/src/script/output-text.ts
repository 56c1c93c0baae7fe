import { parseHTML } from "linkedom";
import type { Output, TableOutput } from "../wire.ts";

/** An output as text, for a terminal or an agent. */
export function outputText(output: Output): string {
  switch (output.kind) {
    case "text":
      return output.isCut ? `${output.text}\n… cut` : output.text;
    case "log":
      return output.text;
    case "table":
      return tableText(output);
    case "control":
      return `${output.control.label || output.control.type}: ${JSON.stringify(output.value)}`;
    case "html":
      return output.isSvg === true ? `[chart${labelOf(output.html)}]` : textOf(output.html);
    default:
      return `[output of an unknown kind: ${JSON.stringify(output satisfies never)}]`;
  }
}

function textOf(html: string): string {
  const { document } = parseHTML(`<!doctype html><html><body>${html}</body></html>`);
  for (const style of document.querySelectorAll("style")) style.remove();
  for (const chart of document.querySelectorAll("svg"))
    chart.replaceWith(`\n[chart${labelOf(chart.outerHTML)}]\n`);
  return (document.body.textContent ?? "").replace(/\n\s*\n\s*/g, "\n\n").trim();
}

function labelOf(html: string): string {
  const label = /aria-label="([^"]*)"/.exec(html)?.[1];
  return label === undefined ? "" : `: ${label}`;
}

function tableText({ columns, rows, total }: TableOutput): string {
  const shown = rows.slice(0, MAX_ROWS);
  const cut = (text: string): string =>
    (text.length > MAX_WIDTH ? `${text.slice(0, MAX_WIDTH - 1)}…` : text).replace(/\s+/g, " ");
  const widths = columns.map(({ name }, at) =>
    Math.max(name.length, ...shown.map((row) => cut(row[at] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) =>
        columns[at]?.isNumeric ? cut(cell).padStart(widths[at] ?? 0) : cut(cell).padEnd(widths[at] ?? 0),
      )
      .join("  ")
      .trimEnd();
  const more = total > shown.length ? [`… ${total - shown.length} more rows`] : [];
  return [line(columns.map(({ name }) => name)), ...shown.map(line), ...more].join("\n");
}

const MAX_ROWS = 20;
const MAX_WIDTH = 60;
