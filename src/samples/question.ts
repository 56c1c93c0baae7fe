import type { Row } from "../formats/row-fields.ts";
import { showShortly } from "../text/shorten.ts";

/** One question with its reference answer; one line of `math_raw.jsonl` / `ood_raw.jsonl`. */
export interface Question {
  readonly id: string;
  readonly question: string;
  readonly answer: string;
  /** Other correct spellings of the answer; left out if there are none. */
  readonly aliases?: readonly string[];
  /** The worked solution, if the set has it (GSM8K does); shown in worked examples. */
  readonly solution?: string;
  /** The part of a study that its set puts it in, as it is written there. */
  readonly split?: string;
}

/** `plain`: `{id, question, answer}`; `gsm8k`: an answer that explains itself and ends in `#### 18`. */
export type QuestionFormat = "plain" | "gsm8k";

/** Whether this is a row of GSM8K. */
export const isGsm8kRow = (row: Row): boolean =>
  typeof row.answer === "string" && FINAL_ANSWER.test(row.answer);

/**
 * One question from one line of a file.
 * @param line from 1; names a question without id (`gsm8k-0001`, `q-0001`)
 * @throws TypeError with the reason, for the problem report
 */
export function parseQuestion(
  row: Row,
  { format, line }: { format: QuestionFormat; line: number },
): Question {
  const number = String(line).padStart(4, "0");
  const id = textOf(row, "id", `${format === "gsm8k" ? "gsm8k" : "q"}-${number}`);
  const question = textOf(row, "question");
  const answer = textOf(row, "answer");
  const aliases = aliasesOf(row);
  const split = textOf(row, "split", "").trim();
  const solution = format === "gsm8k" ? withoutCalculations(answer) : textOf(row, "solution", "");
  return {
    id,
    question,
    answer: format === "gsm8k" ? finalAnswer(answer) : answer,
    ...(aliases.length === 0 ? {} : { aliases }),
    ...(solution === "" ? {} : { solution }),
    ...(split === "" ? {} : { split }),
  };
}

function aliasesOf(row: Row): string[] {
  const { aliases } = row;
  if (aliases === undefined || aliases === null) return [];
  if (!Array.isArray(aliases))
    throw new TypeError(`"aliases" is ${showShortly(aliases, 40)}, expected a list of texts`);
  return aliases.map((alias: unknown, at) => asText(alias, `aliases[${at}]`));
}

/** Numbers are taken as text: `"answer": 18` is common. */
function textOf(row: Row, name: string, otherwise?: string): string {
  const value = row[name];
  if (value !== undefined && value !== null) return asText(value, name);
  if (otherwise !== undefined) return otherwise;
  throw new TypeError(`"${name}" is missing`);
}

function asText(value: unknown, name: string): string {
  if (typeof value !== "string" && typeof value !== "number")
    throw new TypeError(`"${name}" is ${showShortly(value, 40)}, expected text`);
  const text = String(value);
  if (text.trim() === "") throw new TypeError(`"${name}" is empty`);
  return text;
}

function finalAnswer(answer: string): string {
  const final = FINAL_ANSWER.exec(answer)?.[1];
  if (final === undefined)
    throw new TypeError('"answer" has no final line "#### …", as the others of this file have');
  return final.trim().replace(/(?<=\d),(?=\d{3})/g, "");
}

/** Cobbe et al. 2021, GSM8K: the last line of every solution. */
const FINAL_ANSWER = /(?:^|\n)####[ \t]*(\S[^\n]*)\s*$/;

/** GSM8K writes what a calculator would be asked into its solutions: `3 * 4 = <<3*4=12>>12`. */
const withoutCalculations = (answer: string): string => answer.replace(/<<[^<>\n]*>>/g, "").trim();
