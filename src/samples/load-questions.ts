import { SepError } from "../errors.ts";
import { asRow } from "../formats/row-fields.ts";
import { createRng, shuffle } from "../math/rng.ts";
import { describeProblems, type LineProblem } from "../store/jsonl.ts";
import { BUILT_IN_QUESTIONS, HUB_QUESTIONS, locateFile, type QuestionSource } from "./locate-questions.ts";
import type { Question } from "./question.ts";
import {
  type LeftOut,
  type QuestionFormat,
  readQuestionRow,
  recogniseFormat,
  type Unanswerable,
} from "./question-formats.ts";
import { readQuestionFile } from "./read-question-file.ts";

export interface LoadedQuestions {
  /** In the order of the source, or shuffled; each id once. */
  readonly questions: readonly Question[];
  /** Rows that could not be used. */
  readonly problems: readonly LineProblem[];
  /** Rows that can be read and were left out, counted by the reason: unanswerable ones. */
  readonly leftOut: ReadonlyMap<string, number>;
  readonly format: QuestionFormat;
}

export interface LoadQuestionsOptions {
  /** Keep the first `limit` usable questions. */
  readonly limit?: number | undefined;
  /** Put the questions into a random order first, by this seed. */
  readonly shuffleSeed?: number | undefined;
  /** What becomes of questions that the set marks as unanswerable: dropped by default, as in the papers. */
  readonly unanswerable?: Unanswerable | undefined;
  /** Leave out the texts that questions are about. */
  readonly noContext?: boolean | undefined;
}

/**
 * Loads a question set in the format that its first answer shows: `{id, question, answer, aliases?}`, or that of one of the
 * data sets in docs/questions.md. A row that is malformed, lacks a field, or repeats an id becomes a problem; the others
 * survive.
 * @param source a built-in set's name, the path of a file, or what `locateQuestions` found
 * @throws SepError `bad-option` for a limit below 1; `missing-input` if there is no such file;
 *   `bad-question-file` if no row of it is a question, and as `readQuestionFile`
 */
export async function loadQuestions(
  source: string | QuestionSource,
  { limit, shuffleSeed, unanswerable = "drop", noContext = false }: LoadQuestionsOptions = {},
): Promise<LoadedQuestions> {
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1))
    throw new SepError("bad-option", `limit is ${limit}, expected an integer from 1.`);
  const { name, paths } = typeof source === "string" ? locateFile(source) : source;
  const seen = new Map<string, number>();
  let format: QuestionFormat | null = null;
  let before = 0;
  const parse = (value: unknown, line: number): Question | LeftOut => {
    const row = asRow(value);
    format ??= recogniseFormat(row);
    const question = readQuestionRow(format ?? "plain", row, { line: before + line, unanswerable });
    if ("leftOut" in question) return question;
    const earlier = seen.get(question.id);
    if (earlier !== undefined) throw new TypeError(`id "${question.id}" was already on line ${earlier}`);
    seen.set(question.id, line);
    return question;
  };
  const rows: (Question | LeftOut)[] = [];
  const problems: LineProblem[] = [];
  for (const path of paths) {
    const file = await readOrExplain(path, parse);
    rows.push(...file.rows);
    problems.push(...file.problems);
    before += file.rows.length + file.problems.length;
  }
  const leftOut = new Map<string, number>();
  for (const row of rows) if ("leftOut" in row) leftOut.set(row.leftOut, (leftOut.get(row.leftOut) ?? 0) + 1);
  const usable = rows.filter((row): row is Question => !("leftOut" in row));
  if (usable.length === 0) throw explainNone(name, problems, leftOut);
  const ordered = shuffleSeed === undefined ? usable : shuffle(usable, createRng(shuffleSeed, "questions"));
  const questions = ordered.slice(0, limit).map(({ context, ...question }) => ({
    ...question,
    ...(context === undefined || noContext ? {} : { context }),
  }));
  return { questions, problems, leftOut, format: format ?? "plain" };
}

function explainNone(
  name: string,
  problems: readonly LineProblem[],
  leftOut: ReadonlyMap<string, number>,
): SepError {
  const reasons = [
    ...[...leftOut].map(([reason, count]) => `${count} are ${reason}`),
    ...(problems.length === 0 ? [] : [describeProblems(problems)]),
  ];
  return new SepError(
    "bad-question-file",
    `No line of ${name} is a question: ${reasons.join("; ") || "it is empty"}. ` +
      'Expected one {"id": …, "question": …, "answer": …} per line, or a data set of docs/questions.md.',
  );
}

async function readOrExplain<T>(
  path: string,
  parse: (value: unknown, line: number) => T,
): ReturnType<typeof readQuestionFile<T>> {
  try {
    return await readQuestionFile(path, parse);
  } catch (cause) {
    if (!(cause instanceof SepError && cause.code === "missing-input")) throw cause;
    throw new SepError(
      "missing-input",
      `There is no question file ${path}. Name a file, a built-in set (${BUILT_IN_QUESTIONS.join(", ")}), or a data set of the Hugging Face Hub (${HUB_QUESTIONS.join(", ")}).`,
      { cause },
    );
  }
}
