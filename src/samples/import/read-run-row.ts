import {
  asRow,
  looseFlag,
  looseList,
  looseNumber,
  looseNumbers,
  looseText,
  type Row,
} from "../../formats/row-fields.ts";
import { showShortly } from "../../text/shorten.ts";
import { parseRun } from "../run-record.ts";
import { type Answer, answerOf, TEXT_ONLY } from "../samples.ts";

/** One line of a runs file: an answer, and the question that it answers. */
export interface RunRow {
  readonly question_id: string;
  readonly question: string | null;
  readonly answer: Answer;
}

/** Whether a line is one sampled answer, as this package and the Python pipeline write them. */
export const isRunRow = (row: Row): boolean =>
  "question_id" in row && ("answer_text" in row || "output_text" in row) && !("answers" in row);

/**
 * One line of this package's runs file, or of the Python pipeline's, which has fewer keys and counts differently: its
 * `tokens` and `token_entropies` begin with the prompt, for which the entropies are null, its span of reasoning is
 * counted from there, and `output_text` begins with the prompt too.
 * @throws TypeError with the reason
 */
export function readRunRow(value: unknown): RunRow {
  const row = asRow(value);
  return "think_status" in row ? readOwn(row) : readPython(row);
}

function readOwn(row: Row): RunRow {
  const run = parseRun(row);
  return { question_id: run.question_id, question: run.question ?? null, answer: answerOf(run) };
}

function readPython(row: Row): RunRow {
  const question_id = looseText(row, "question_id");
  if (question_id === null) throw new TypeError('"question_id" is missing');
  const prompt = looseText(row, "prompt") ?? "";
  const output = looseText(row, "output_text");
  const generated = output?.startsWith(prompt) ? output.slice(prompt.length) : output;
  const text = looseText(row, "full_answer_text", "answer_text") ?? afterReasoning(generated);
  if (text === null) throw new TypeError('"answer_text" and "output_text" are missing');
  const extracted = looseText(row, "final_answer_text", "answer_text")?.trim();
  const entropies = looseList(row, "token_entropies") ?? [];
  const promptLength = countLeadingNulls(entropies);
  const tokenEntropies = looseNumbers(entropies.slice(promptLength), "token_entropies");
  const given = looseList(row, "token_logprobs");
  const tokenLogprobs = given && looseNumbers(given.slice(countLeadingNulls(given)), "token_logprobs");
  const answer: Answer = {
    ...TEXT_ONLY,
    runId: looseNumber(row, "run_id"),
    text,
    extracted: extracted === undefined ? undefined : extracted || null,
    tokenLogprobs: tokenLogprobs?.length === 0 ? null : tokenLogprobs,
    tokenCount: tokenEntropies?.length || null,
    tokenEntropies: tokenEntropies?.length === 0 ? null : tokenEntropies,
    thinkSpan: readSpan(row, promptLength, entropies.length, generated),
    isCorrect: looseFlag(row, "is_correct"),
  };
  checkLengths(answer);
  return { question_id, question: looseText(row, "question") ?? questionIn(prompt), answer };
}

/** `[start, end]`, `end` being the first token of the closing tag, or the last token if there is no such tag. */
function readSpan(
  row: Row,
  promptLength: number,
  length: number,
  generated: string | null,
): Answer["thinkSpan"] {
  const span = looseNumbers(row.think_token_indices, "think_token_indices");
  if (span === null || length === 0) return undefined;
  const [start, end] = span.map((index) => index - promptLength);
  if (span.length !== 2 || !(start! >= 0 && start! <= end! && end! <= length - promptLength))
    throw new TypeError(
      `"think_token_indices" is ${showShortly(span)} in ${length} tokens, ${promptLength} of the prompt`,
    );
  const closed = generated === null || generated.includes(CLOSE);
  return [start!, closed ? end! : length - promptLength];
}

function countLeadingNulls(list: readonly unknown[]): number {
  const first = list.findIndex((item) => item !== null);
  return first === -1 ? list.length : first;
}

function afterReasoning(generated: string | null): string | null {
  const closed = generated?.lastIndexOf(CLOSE) ?? -1;
  return generated && (closed === -1 ? generated : generated.slice(closed + CLOSE.length)).trim();
}

const CLOSE = "</think>";

/** The Python pipeline's prompt has the question between tags. */
const questionIn = (prompt: string): string | null =>
  /<question>\n([\s\S]*)\n<\/question>/.exec(prompt)?.[1] ?? null;

function checkLengths({ tokenLogprobs, tokenEntropies }: Answer): void {
  if (tokenLogprobs === null || tokenEntropies === null || tokenLogprobs.length === tokenEntropies.length)
    return;
  throw new TypeError(
    `"token_logprobs" has ${tokenLogprobs.length} numbers, "token_entropies" ${tokenEntropies.length}`,
  );
}
