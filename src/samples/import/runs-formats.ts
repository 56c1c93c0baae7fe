import { parsePythonJson } from "../../formats/json.ts";
import { asRow, type Row } from "../../formats/row-fields.ts";
import { type LineProblem, readJsonl } from "../../store/jsonl.ts";
import { shorten, showShortly } from "../../text/shorten.ts";
import { groupByQuestion } from "../samples.ts";
import { gatherImported, type ImportedSamples, type ReadRuns } from "./imported-samples.ts";
import { isOatmlFile, readOatmlEntry } from "./read-oatml-entry.ts";
import { isPlainRow, readPlainRow } from "./read-plain-row.ts";
import { isPolygraphFile, listPolygraphTexts, readPolygraphQuestion } from "./read-polygraph-stats.ts";
import { isRunRow, type RunRow, readRunRow } from "./read-run-row.ts";

/** The tool that wrote a file of samples, and a name of the format for people. */
export const RUNS_FORMATS = {
  "sep-runs": "a runs file of this package",
  "python-runs": "a runs file of the Python pipeline",
  "plain-lines": "questions with their answers, one per line",
  "plain-json": "questions with their answers",
  oatml: "OATML's generations",
  polygraph: "lm-polygraph's statistics",
} as const;

export type RunsFormat = keyof typeof RUNS_FORMATS;

/** Formats of one row per line. */
type LineFormat = "sep-runs" | "python-runs" | "plain-lines";

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

/** Reads a file of rows, one per line. */
export async function readRunLines(path: string, format: LineFormat): Promise<ReadRuns> {
  if (format === "plain-lines") return readPlain(path);
  const { rows, problems } = await readJsonl(path, {
    parse: (value, line) => ({ ...readRunRow(value), line }),
    parseJson: parsePythonJson,
  });
  const duplicates: LineProblem[] = [];
  const questions = [...groupByQuestion(rows)].map(([id, own]) => {
    const question = own.find((row) => row.question !== null)?.question ?? null;
    const answers = withoutRepeats(own, duplicates).toSorted((a, b) => (a.runId ?? 0) - (b.runId ?? 0));
    return gatherImported({ id, question, best: null }, answers);
  });
  return { questions, problems, duplicates };
}

/** Rows of one question, each number once; rows without a number get those that are free. */
function withoutRepeats(
  rows: readonly (RunRow & { readonly line: number })[],
  duplicates: LineProblem[],
): RunRow["answer"][] {
  const lineOf = new Map<number, number>();
  const kept = rows.filter(({ answer: { runId, text }, question_id, line }) => {
    if (runId === null) return true;
    const earlier = lineOf.get(runId);
    if (earlier === undefined) return lineOf.set(runId, line);
    const reason = `question "${shorten(question_id)}" run ${runId} was already on line ${earlier}`;
    duplicates.push({ line, reason, excerpt: shorten(text) });
    return false;
  });
  let free = 0;
  return kept.map(({ answer }) => {
    if (answer.runId !== null) return answer;
    while (lineOf.has(free)) free += 1;
    return { ...answer, runId: free++ };
  });
}

async function readPlain(path: string): Promise<ReadRuns> {
  const lineOf = new Map<string, number>();
  const { rows, problems } = await readJsonl(path, {
    parse: (value, line) => {
      const question = readPlainRow(value, line);
      const earlier = lineOf.get(question.id);
      if (earlier !== undefined)
        throw new TypeError(`id "${shorten(question.id)}" was already on line ${earlier}`);
      lineOf.set(question.id, line);
      return question;
    },
    parseJson: parsePythonJson,
  });
  return { questions: rows, problems, duplicates: [] };
}

/**
 * Reads what a file that is one JSON value holds; a problem's line is the question's place in it, from 1.
 * @throws TypeError if the value as a whole is not of the format
 */
export function readJsonRuns(value: unknown, format: ValueFormat): ReadRuns {
  const questions: ImportedSamples[] = [];
  const problems: ReadRuns["problems"][number][] = [];
  for (const [place, [read, entry]] of listEntries(value, format).entries()) {
    try {
      questions.push(read());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      problems.push({ line: place + 1, reason, excerpt: showShortly(entry) });
    }
  }
  return { questions, problems, duplicates: [] };
}

type Entry = readonly [read: () => ImportedSamples, entry: unknown];

function listEntries(value: unknown, format: ValueFormat): Entry[] {
  switch (format) {
    case "plain-json":
      return (value as readonly unknown[]).map((row, place) => [() => readPlainRow(row, place + 1), row]);
    case "oatml":
      return Object.entries(asRow(value)).map(([id, entry]) => [() => readOatmlEntry(id, entry), entry]);
    case "polygraph": {
      const file = asRow(value);
      return listPolygraphTexts(file).map((texts, place) => [
        () => readPolygraphQuestion(file, place),
        texts,
      ]);
    }
  }
}
