import { parsePythonJson } from "../../formats/python-json.ts";
import { type LineProblem, readJsonl } from "../../store/jsonl.ts";
import { shorten } from "../../text/shorten.ts";
import { groupByQuestion } from "../group-by-question.ts";
import type { SampledQuestion } from "../sampled-question.ts";
import type { LineFormat } from "./detect-runs-format.ts";
import { gatherAnswers } from "./foreign-answer.ts";
import { readPlainRow } from "./read-plain-row.ts";
import { type RunRow, readRunRow } from "./read-run-row.ts";

/** What a file held, and what of it could not be used. */
export interface ReadRuns {
  readonly questions: readonly SampledQuestion[];
  readonly problems: readonly LineProblem[];
  readonly duplicates: readonly LineProblem[];
}

/** Reads a file of rows, one a line. */
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
    return gatherAnswers({ id, question, best: null, entailment: null }, answers);
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
