import { asRow } from "../../formats/row-fields.ts";
import { showShortly } from "../../text/shorten.ts";
import type { SampledQuestion } from "../sampled-question.ts";
import type { ValueFormat } from "./detect-runs-format.ts";
import { readOatmlEntry } from "./read-oatml-entry.ts";
import { readPlainRow } from "./read-plain-row.ts";
import { listPolygraphTexts, readPolygraphQuestion } from "./read-polygraph-stats.ts";
import type { ReadRuns } from "./read-run-lines.ts";

/**
 * Reads what a file that is one JSON value holds; a problem's line is the question's place in it, from 1.
 * @throws TypeError if the value as a whole is not of the format
 */
export function readJsonRuns(value: unknown, format: ValueFormat): ReadRuns {
  const questions: SampledQuestion[] = [];
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

type Entry = readonly [read: () => SampledQuestion, entry: unknown];

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
