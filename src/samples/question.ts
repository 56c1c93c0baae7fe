import type { Row } from "../formats/row-fields.ts";
import { showShortly } from "../text/shorten.ts";

/** One question with its reference answer; one line of `math_raw.jsonl` / `ood_raw.jsonl`. */
export interface Question {
  readonly id: string;
  readonly question: string;
  readonly answer: string;
  /** Other correct spellings of the answer; left out if there are none. */
  readonly aliases?: readonly string[];
  /** Answers that are known to be wrong, if the set has them (TruthfulQA does). */
  readonly rejected?: readonly string[];
  /** A text that the question is about (SQuAD has one); stands before it in the prompt. */
  readonly context?: string;
  /** The worked solution, if the set has it (GSM8K does); shown in worked examples. */
  readonly solution?: string;
  /** The part of a study that its set puts it in, as it is written there. */
  readonly split?: string;
}

/**
 * One question from one row of this package's own format.
 * @param line from 1; names a question without id (`q-0001`)
 * @throws TypeError with the reason, for the problem report
 */
export function parseQuestion(row: Row, line: number): Question {
  const id = textOf(row, "id", nameByLine("q", line));
  return {
    id,
    question: textOf(row, "question"),
    answer: textOf(row, "answer"),
    ...optional("aliases", textsOf(row, "aliases")),
    ...optional("rejected", textsOf(row, "rejected")),
    ...optional("context", textOf(row, "context", "")),
    ...optional("solution", textOf(row, "solution", "")),
    ...optional("split", textOf(row, "split", "").trim()),
  };
}

/** `q-0001` */
export const nameByLine = (prefix: string, line: number): string =>
  `${prefix}-${String(line).padStart(4, "0")}`;

/** A key that is left out where there is nothing to say. */
export const optional = <Name extends string, Value extends { readonly length: number }>(
  name: Name,
  value: Value,
): { readonly [K in Name]?: Value } =>
  (value.length === 0 ? {} : { [name]: value }) as { readonly [K in Name]?: Value };

/** A list of texts; empty if the row has none. Numbers are taken as text. */
export function textsOf(row: Row, name: string): readonly string[] {
  const value = row[name];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value))
    throw new TypeError(`"${name}" is ${showShortly(value, 40)}, expected a list of texts`);
  return value.map((each: unknown, at) => asText(each, `${name}[${at}]`));
}

/** Numbers are taken as text: `"answer": 18` is common. */
export function textOf(row: Row, name: string, otherwise?: string): string {
  const value = row[name];
  if (value !== undefined && value !== null) return asText(value, name);
  if (otherwise !== undefined) return otherwise;
  throw new TypeError(`"${name}" is missing`);
}

function asText(value: unknown, name: string): string {
  // Parquet's 64-bit integers are bigints
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint")
    throw new TypeError(`"${name}" is ${showShortly(value, 40)}, expected text`);
  const text = String(value);
  if (text.trim() === "") throw new TypeError(`"${name}" is empty`);
  return text;
}
