import { asRow, type Row } from "../formats/row-fields.ts";
import { normalizeAnswer } from "../text/open-answer.ts";
import { nameByLine, optional, parseQuestion, type Question, textOf, textsOf } from "./question.ts";

/** What becomes of questions that their set marks as unanswerable. */
export const UNANSWERABLE = ["drop", "keep"] as const;
export type Unanswerable = (typeof UNANSWERABLE)[number];

/** A row that is well-formed and no question of the study. */
export interface LeftOut {
  /** In words: "unanswerable". */
  readonly leftOut: string;
}

interface ReadRowOptions {
  /** From 1, over all files of the set; names a question without id. */
  readonly line: number;
  readonly unanswerable: Unanswerable;
}

/** How the rows of one data set are written. */
interface RowFormat {
  /** Whether a row is one of this format. */
  matches(row: Row): boolean;
  /** @throws TypeError with the reason why the row cannot be used */
  read(row: Row, options: ReadRowOptions): Question | LeftOut;
}

/**
 * Row formats by name, the most particular first. `plain` is this package's own: `{id?, question, answer, aliases?,
 * rejected?, context?, solution?}`; the others are those of the data sets as the Hugging Face Hub has them.
 */
const FORMATS = {
  bioasq: {
    matches: ({ body, type }) => typeof body === "string" && typeof type === "string",
    read: readBioasq,
  },
  "truthful-qa": { matches: ({ best_answer }) => typeof best_answer === "string", read: readTruthfulQa },
  math: { matches: ({ problem }) => typeof problem === "string", read: readMath },
  squad: { matches: ({ answers }) => isObject(answers) && Array.isArray(answers.text), read: readSquad },
  "trivia-qa": { matches: ({ answer }) => isObject(answer), read: readTriviaQa },
  "nq-open": { matches: ({ answer }) => Array.isArray(answer), read: readNqOpen },
  gsm8k: {
    matches: ({ answer }) => typeof answer === "string" && FINAL_ANSWER.test(answer),
    read: readGsm8k,
  },
  plain: {
    matches: ({ answer }) => typeof answer === "string",
    read: (row, { line }) => parseQuestion(row, line),
  },
} as const satisfies Readonly<Record<string, RowFormat>>;

export type QuestionFormat = keyof typeof FORMATS;

/** The format that a row shows; null for a row that shows none, such as one without an answer. */
export const recogniseFormat = (row: Row): QuestionFormat | null =>
  (Object.keys(FORMATS) as QuestionFormat[]).find((name) => FORMATS[name].matches(row)) ?? null;

/**
 * One question from one row.
 * @throws TypeError with the reason, for the problem report
 */
export const readQuestionRow = (
  format: QuestionFormat,
  row: Row,
  options: ReadRowOptions,
): Question | LeftOut => FORMATS[format].read(row, options);

/**
 * The accepted answers of a row, each once by its normalised words, the first as the reference.
 * @throws TypeError if there is none
 */
function acceptedOf(name: string, answers: readonly unknown[]): Pick<Question, "answer" | "aliases"> {
  const distinct = new Map<string, string>();
  for (const text of answers) {
    if (typeof text !== "string" || text.trim() === "") continue;
    const words = normalizeAnswer(text);
    if (!distinct.has(words)) distinct.set(words, text.trim());
  }
  const [answer, ...aliases] = distinct.values();
  if (answer === undefined) throw new TypeError(`"${name}" has no answer`);
  return { answer, ...optional("aliases", aliases) };
}

/** @see Joshi et al. 2017, TriviaQA */
function readTriviaQa(row: Row, { line }: ReadRowOptions): Question | LeftOut {
  const { value, aliases } = asRow(row.answer);
  if (value === "<unk>") return { leftOut: "without a reference answer" }; // the test split
  return {
    id: textOf(row, "question_id", nameByLine("trivia-qa", line)),
    question: textOf(row, "question"),
    ...acceptedOf("answer", [value, ...(Array.isArray(aliases) ? (aliases as unknown[]) : [])]),
  };
}

/**
 * SQuAD 1.1 and 2.0. A question without answers is unanswerable.
 * @see Rajpurkar et al. 2018, "Know What You Don't Know: Unanswerable Questions for SQuAD"
 */
function readSquad(row: Row, { line, unanswerable }: ReadRowOptions): Question | LeftOut {
  const { text } = asRow(row.answers) as { readonly text: readonly unknown[] };
  if (text.length === 0 && unanswerable === "drop") return { leftOut: "unanswerable" };
  const { answer, aliases } = acceptedOf("answers", text.length === 0 ? NO_ANSWER : text);
  return {
    id: textOf(row, "id", nameByLine("squad", line)),
    question: textOf(row, "question").trim(),
    answer,
    ...optional("aliases", aliases ?? []),
    ...optional("context", textOf(row, "context", "")),
  };
}

/** What an answer to an unanswerable question may say. */
const NO_ANSWER = ["unanswerable", "no answer", "not answerable", "unknown"];

/** Its questions have no question mark; the published code of semantic entropy adds one. @see Lee et al. 2019 */
function readNqOpen(row: Row, { line }: ReadRowOptions): Question {
  const question = textOf(row, "question").trim();
  return {
    id: textOf(row, "id", nameByLine("nq-open", line)),
    question: question.endsWith("?") ? question : `${question}?`,
    ...acceptedOf("answer", row.answer as readonly unknown[]),
  };
}

/**
 * Questions with an exact answer: a phrase with synonyms, a list of phrases, or yes or no. Any item of a list counts, as in the
 * published code of semantic entropy.
 * @see Krithara et al. 2023, BioASQ-QA
 */
function readBioasq(row: Row, { line }: ReadRowOptions): Question | LeftOut {
  const { exact_answer } = row;
  if (exact_answer === undefined || exact_answer === null) return { leftOut: "without an exact answer" };
  const answers = (Array.isArray(exact_answer) ? exact_answer : [exact_answer]) as readonly unknown[];
  return {
    id: textOf(row, "id", nameByLine("bioasq", line)),
    question: textOf(row, "body").trim(),
    ...acceptedOf("exact_answer", answers.flat()),
  };
}

/** @see Lin et al. 2022, "TruthfulQA: Measuring how models mimic human falsehoods" */
function readTruthfulQa(row: Row, { line }: ReadRowOptions): Question {
  return {
    id: textOf(row, "id", nameByLine("truthful-qa", line)),
    question: textOf(row, "question"),
    ...acceptedOf("best_answer", [row.best_answer, ...textsOf(row, "correct_answers")]),
    ...optional("rejected", textsOf(row, "incorrect_answers")),
  };
}

/** @see Hendrycks et al. 2021, MATH; Lightman et al. 2023 for the 500 */
function readMath(row: Row, { line }: ReadRowOptions): Question {
  return {
    id: textOf(row, "unique_id", nameByLine("math", line)),
    question: textOf(row, "problem"),
    answer: textOf(row, "answer"),
    ...optional("solution", textOf(row, "solution", "")),
  };
}

/** @see Cobbe et al. 2021, GSM8K */
function readGsm8k(row: Row, { line }: ReadRowOptions): Question {
  const answer = textOf(row, "answer");
  return {
    id: textOf(row, "id", nameByLine("gsm8k", line)),
    question: textOf(row, "question"),
    answer: finalAnswer(answer),
    ...optional("aliases", textsOf(row, "aliases")),
    ...optional("split", textOf(row, "split", "").trim()),
    solution: withoutCalculations(answer),
  };
}

/** The last line of every solution. */
const FINAL_ANSWER = /(?:^|\n)####[ \t]*(\S[^\n]*)\s*$/;

function finalAnswer(answer: string): string {
  const final = FINAL_ANSWER.exec(answer)?.[1];
  if (final === undefined)
    throw new TypeError('"answer" has no final line "#### …", as the others of this file have');
  return final.trim().replace(/(?<=\d),(?=\d{3})/g, "");
}

/** GSM8K writes what a calculator would be asked into its solutions: `3 * 4 = <<3*4=12>>12`. */
const withoutCalculations = (answer: string): string => answer.replace(/<<[^<>\n]*>>/g, "").trim();

const isObject = (value: unknown): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value);
