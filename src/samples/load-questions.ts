import { fileURLToPath } from "node:url";
import { SepError } from "../errors.ts";
import { asRow } from "../formats/row-fields.ts";
import { describeProblems, type LineProblem, readJsonl } from "../store/jsonl.ts";
import { isGsm8kRow, parseQuestion, type Question, type QuestionFormat } from "./question.ts";

export interface LoadedQuestions {
  /** In file order, each id once. */
  readonly questions: readonly Question[];
  /** Lines that could not be used. */
  readonly problems: readonly LineProblem[];
  readonly format: QuestionFormat;
  readonly path: string;
}

/**
 * Loads a question set: a built-in one by its name, or a JSONL file of `{id, question, answer, aliases?}` or in
 * GSM8K's format, which the first answer in it tells. A line that is malformed, lacks a field, or repeats an
 * id becomes a problem; the others survive.
 * @param limit keep the first `limit` usable questions
 * @throws SepError `bad-option` for a limit below 1; `missing-input` if there is no such file;
 *   `bad-question-file` if no line of it is a question
 */
export async function loadQuestions(
  source: string,
  { limit }: { readonly limit?: number | undefined } = {},
): Promise<LoadedQuestions> {
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1))
    throw new SepError("bad-option", `limit is ${limit}, expected an integer from 1.`);
  const { path } = locateQuestions(source);
  const seen = new Map<string, number>();
  let format: QuestionFormat | null = null;
  const parse = (value: unknown, line: number): Question => {
    const row = asRow(value);
    if (typeof row.answer === "string") format ??= isGsm8kRow(row) ? "gsm8k" : "plain";
    const question = parseQuestion(row, { format: format ?? "plain", line });
    const earlier = seen.get(question.id);
    if (earlier !== undefined) throw new TypeError(`id "${question.id}" was already on line ${earlier}`);
    seen.set(question.id, line);
    return question;
  };
  const { rows, problems } = await readQuestionFile(path, parse);
  if (rows.length === 0)
    throw new SepError(
      "bad-question-file",
      `No line of ${path} is a question: ${problems.length === 0 ? "it is empty" : describeProblems(problems)}. ` +
        'Expected one {"id": …, "question": …, "answer": …} per line.',
    );
  return { questions: rows.slice(0, limit), problems, format: format ?? "plain", path };
}

async function readQuestionFile(
  path: string,
  parse: (value: unknown, line: number) => Question,
): Promise<{ readonly rows: readonly Question[]; readonly problems: readonly LineProblem[] }> {
  try {
    return await readJsonl(path, { parse });
  } catch (cause) {
    if (!(cause instanceof SepError && cause.code === "missing-input")) throw cause;
    throw new SepError(
      "missing-input",
      `There is no question file ${path}. Name a JSONL file, or a built-in set: ${BUILT_IN_QUESTIONS.join(", ")}.`,
      { cause },
    );
  }
}

/** The question sets that come with this package. */
export const BUILT_IN_QUESTIONS = ["arithmetic", "word-problems", "general"] as const;

/**
 * The file that a question source stands for: a built-in set by its name, else the path itself.
 * @param source e.g. `arithmetic`, or `./my-questions.jsonl`
 */
export function locateQuestions(source: string): { readonly path: string; readonly builtIn: boolean } {
  const builtIn = (BUILT_IN_QUESTIONS as readonly string[]).includes(source);
  return builtIn
    ? { path: fileURLToPath(new URL(`../../questions/${source}.jsonl`, import.meta.url)), builtIn }
    : { path: source, builtIn };
}
