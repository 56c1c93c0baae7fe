import {
  asRow,
  finiteOrNull,
  looseFlag,
  looseList,
  looseNumber,
  looseNumbers,
  looseText,
  type Row,
} from "../../formats/row-fields.ts";
import { showShortly } from "../../text/shorten.ts";
import { type Answer, type BestAnswer, TEXT_ONLY } from "../samples.ts";
import { gatherImported, type ImportedSamples } from "./imported-samples.ts";

/** Whether a row is one question with its answers. */
export const isPlainRow = (row: Row): boolean => Array.isArray(row.answers);

/**
 * One question with its answers: `{id?, question?, answers, token_logprobs?, logprobs?, token_counts?,
 * token_entropies?, is_correct?, best_answer?}`. An answer is a text, null for none, or an object with the same
 * fields in the singular. `logprobs` are of tokens where they are lists, else of whole answers.
 * @param place of the row among the others, from 1; names a question without id
 * @throws TypeError with the reason
 */
export function readPlainRow(value: unknown, place: number): ImportedSamples {
  const row = asRow(value);
  const answers = looseList(row, "answers");
  if (answers === null) throw new TypeError('"answers" is missing');
  if (answers.length === 0) throw new TypeError('"answers" is empty');
  const columns = {
    token_logprobs: column(row, answers.length, "token_logprobs"),
    logprobs: column(row, answers.length, "logprobs"),
    token_count: column(row, answers.length, "token_counts"),
    token_entropies: column(row, answers.length, "token_entropies"),
    is_correct: column(row, answers.length, "is_correct", "correct"),
  };
  return gatherImported(
    {
      id: looseText(row, "id", "question_id") ?? `q-${String(place).padStart(4, "0")}`,
      question: looseText(row, "question"),
      best: readBest(row.best_answer),
    },
    answers.map((answer, i) =>
      readAnswer(
        answer,
        Object.fromEntries(Object.entries(columns).map(([name, list]) => [name, list?.[i]])),
      ),
    ),
  );
}

function column(row: Row, count: number, ...names: readonly string[]): readonly unknown[] | null {
  const list = looseList(row, ...names);
  if (list !== null && list.length !== count)
    throw new TypeError(`"${names[0]}" has ${list.length} entries for ${count} answers`);
  return list;
}

function readAnswer(answer: unknown, columns: Row): Answer {
  const isBare = answer === null || typeof answer !== "object";
  const row: Row = isBare ? columns : { ...columns, ...asRow(answer) };
  const text = isBare ? answer : looseText(row, "text", "answer_text", "full_answer_text", "response");
  if (text !== null && typeof text !== "string" && typeof text !== "number")
    throw new TypeError(`an answer is ${showShortly(text)}, expected text`);
  const logprobs = row.token_logprobs ?? row.logprobs ?? row.logprob;
  return {
    ...TEXT_ONLY,
    runId: looseNumber(row, "run_id"),
    text: String(text ?? ""),
    tokenLogprobs: nonEmpty(typeof logprobs === "number" ? null : looseNumbers(logprobs, "token_logprobs")),
    sumLogprob: finiteOrNull(logprobs),
    tokenCount: looseNumber(row, "token_count"),
    tokenEntropies: nonEmpty(looseNumbers(row.token_entropies, "token_entropies")),
    isCorrect: looseFlag(row, "is_correct"),
  };
}

function readBest(value: unknown): BestAnswer | null {
  if (value === undefined || value === null) return null;
  const { text, tokenLogprobs, tokenEntropies, isCorrect } = readAnswer(value, {});
  return { text, tokenLogprobs, tokenEntropies, isCorrect };
}

const nonEmpty = (list: readonly number[] | null): readonly number[] | null =>
  list === null || list.length === 0 ? null : list;
