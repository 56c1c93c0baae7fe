import { inspect } from "node:util";
import * as plotLibrary from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Output, TableOutput } from "../wire.ts";
import { isMarkupLike, markupOf } from "./markup.ts";

/** Rows for a table that is only looked at; `ui.table` is the one to choose from. */
export class Table {
  readonly table: TableOutput;

  constructor(rows: readonly Readonly<Record<string, unknown>>[], columns?: readonly string[]) {
    this.table = makeTable(rows, columns);
  }
}

/** How a value is shown. What is too large is cut, and says so. */
export function showValue(value: unknown): Output {
  if (value instanceof Table) return value.table;
  if (isMarkupLike(value)) {
    const markup = markupOf(value);
    if (markup.length > MAX_MARKUP) {
      return {
        kind: "text",
        text: `Markup of ${markup.length} characters is too large to show; at most ${MAX_MARKUP} are.`,
        isCut: true,
      };
    }
    return /^\s*<(svg|figure)\b/i.test(markup)
      ? { kind: "html", html: markup, isSvg: true }
      : { kind: "html", html: markup };
  }
  const text = typeof value === "string" ? value : formatValue(value);
  return text.length > MAX_TEXT
    ? { kind: "text", text: text.slice(0, MAX_TEXT), isCut: true }
    : { kind: "text", text };
}

/** A value as text, with limits on depth and length. */
export const formatValue = (value: unknown): string =>
  inspect(value, { depth: 4, maxArrayLength: 60, maxStringLength: 4_000, breakLength: 96, compact: 3 });

/**
 * A table of records; the columns are those of the first rows unless they are named.
 * Numbers are rounded for the eye.
 */
export function makeTable(
  rows: readonly Readonly<Record<string, unknown>>[],
  columns: readonly string[] = [...new Set(rows.slice(0, 50).flatMap((row) => Object.keys(row)))],
): TableOutput {
  const kept = rows.slice(0, MAX_ROWS);
  return {
    kind: "table",
    columns: columns.map((name) => ({
      name,
      isNumeric: kept.length > 0 && kept.every((row) => typeof row[name] === "number" || row[name] == null),
    })),
    rows: kept.map((row) => columns.map((name) => formatCell(row[name]))),
    total: rows.length,
  };
}

function formatCell(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return formatNumber(value);
  const text = typeof value === "string" ? value : formatValue(value);
  return text.length > MAX_CELL ? `${text.slice(0, MAX_CELL - 1)}…` : text;
}

const formatNumber = (value: number): string =>
  Number.isInteger(value) || !Number.isFinite(value) ? String(value) : String(Number(value.toPrecision(4)));

/** Text that a page still shows without effort. */
const MAX_TEXT = 50_000;
/** A chart of some ten thousand marks. */
const MAX_MARKUP = 4_000_000;
const MAX_ROWS = 5_000;
const MAX_CELL = 500;

type PlotLibrary = typeof plotLibrary;

/** Observable Plot with a document to draw into, as the kernel has none of its own. */
export function createPlot(): PlotLibrary {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const own = document as unknown as NonNullable<plotLibrary.PlotOptions["document"]>;
  const plot: PlotLibrary["plot"] = (options = {}) =>
    plotLibrary.plot({
      document: own,
      marginBottom: 42,
      ...options,
      x: { labelAnchor: "center", labelArrow: "none", labelOffset: 36, ...options.x },
      style: { background: "none", fontSize: "12px", ...(options.style as object) } as never,
    });
  const legend: PlotLibrary["legend"] = (options) =>
    plotLibrary.legend({ document: own, ...options } as typeof options);
  // `Plot.dot(…).plot()` reaches the library's own plot, which looks for the document of a page
  Object.assign(plotLibrary.Mark.prototype, {
    plot(this: plotLibrary.Markish, { marks = [], ...options }: plotLibrary.PlotOptions = {}) {
      return plot({ ...options, marks: [...marks, this] });
    },
  });
  return { ...plotLibrary, plot, legend };
}
