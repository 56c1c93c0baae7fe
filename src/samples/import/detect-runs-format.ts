import { parsePythonJson } from "../../formats/python-json.ts";
import { asRow, type Row } from "../../formats/row-fields.ts";
import { isOatmlFile } from "./read-oatml-entry.ts";
import { isPlainRow } from "./read-plain-row.ts";
import { isPolygraphFile } from "./read-polygraph-stats.ts";
import { isRunRow } from "./read-run-row.ts";

/** Who wrote a file of samples, and how people call the format. */
export const RUNS_FORMATS = {
  "sep-runs": "a runs file of this package",
  "python-runs": "a runs file of the Python pipeline",
  "plain-lines": "questions with their answers, one a line",
  "plain-json": "questions with their answers",
  oatml: "OATML's generations",
  polygraph: "lm-polygraph's statistics",
} as const;

export type RunsFormat = keyof typeof RUNS_FORMATS;

/** Formats of one row a line. */
export type LineFormat = "sep-runs" | "python-runs" | "plain-lines";

/** Formats that are one JSON value. */
export type ValueFormat = Exclude<RunsFormat, LineFormat>;

/** @returns the format of the first line that is a row of any; null if none is */
export function detectLineFormat(lines: readonly string[]): LineFormat | null {
  for (const line of lines) {
    const row = readObject(line);
    if (row === null) continue;
    if (isRunRow(row)) return "think_status" in row ? "sep-runs" : "python-runs";
    if (isPlainRow(row)) return "plain-lines";
  }
  return null;
}

/** @param value what a whole file holds */
export function detectValueFormat(value: unknown): ValueFormat | null {
  const isRow = (item: unknown): item is Row =>
    typeof item === "object" && item !== null && !Array.isArray(item);
  if (Array.isArray(value))
    return value.some((item) => isRow(item) && isPlainRow(item)) ? "plain-json" : null;
  if (!isRow(value)) return null;
  if (isPolygraphFile(value)) return "polygraph";
  return isOatmlFile(value) ? "oatml" : null;
}

function readObject(line: string): Row | null {
  try {
    return asRow(parsePythonJson(line));
  } catch {
    return null; // a broken line says nothing of the others
  }
}
