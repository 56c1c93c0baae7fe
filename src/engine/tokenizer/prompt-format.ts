import { SepError } from "../../errors.ts";
import { normalizeAnswer } from "../../text/open-answer.ts";
import type { TextTokenizer } from "./text-tokenizer.ts";

/** Prompt formats that need nothing but the question. */
export const PLAIN_PROMPT_FORMATS = ["auto", "chat", "notebook", "reasoning"] as const;

/**
 * How a question becomes a prompt.
 * - `chat`: the model's own chat template.
 * - `notebook`: `Question: …\nAnswer:`.
 * - `auto`: chat where the model has a template, notebook where not.
 * - `reasoning`: chat, and the question is followed by a request to think between the think tags and to put the
 *   answer into `\boxed{}`; for models that do not reason by themselves.
 * - `few-shot`: worked examples, then the question.
 * - `template`: a text with `{question}` in it.
 *
 * Plain data, since it goes to other threads.
 */
export type PromptFormat =
  | (typeof PLAIN_PROMPT_FORMATS)[number]
  | { readonly kind: "few-shot"; readonly shots: readonly Shot[] }
  | { readonly kind: "template"; readonly template: PromptTemplate };

/** `auto` decided for one model; other formats as they are. */
export function resolvePromptFormat(
  format: PromptFormat,
  { renderChat }: Pick<TextTokenizer, "renderChat">,
): Exclude<PromptFormat, "auto"> {
  if (format !== "auto") return format;
  return renderChat === null ? "notebook" : "chat";
}

/** What ends an answer in this format, beside what the user asks for. */
export const stopStringsOf = (format: PromptFormat): readonly string[] =>
  typeof format === "object" && format.kind === "few-shot" ? stopStringsOfShots(format.shots) : [];

/** A question with its answer, to show a model how to answer. */
export interface Shot {
  /** A text that the question is about. */
  readonly context?: string;
  readonly question: string;
  /** A short answer, or a worked solution of several lines. */
  readonly answer: string;
}

/** A question with its reference answer, and the way to it where that is known. */
export interface AnsweredQuestion {
  readonly context?: string;
  readonly question: string;
  readonly answer: string;
  readonly solution?: string;
}

/** Kuhn et al. 2023 and Farquhar et al. 2024 show five. */
export const SHOT_COUNT = 5;

/** The first five questions as shots, each with its solution where it has one. */
export const takeShots = (questions: readonly AnsweredQuestion[]): Shot[] =>
  questions.slice(0, SHOT_COUNT).map(({ context, question, answer, solution }) => ({
    ...(context === undefined ? {} : { context }),
    question,
    answer: (solution ?? answer).trim(),
  }));

/** The questions that no shot gives away: a shot's own question is never asked. */
export function leaveOutShots<Question extends Pick<AnsweredQuestion, "question">>(
  questions: readonly Question[],
  shots: readonly Shot[],
): Question[] {
  const shown = new Set(shots.map(({ question }) => normalizeAnswer(question)));
  return questions.filter(({ question }) => !shown.has(normalizeAnswer(question)));
}

/**
 * Shots and a question as one text, in the layout of the papers' code.
 * @param head comes first; the papers' sentence by default, and nothing in front of worked solutions
 */
export function renderFewShot(
  shots: readonly Shot[],
  { question, context }: Omit<Shot, "answer">,
  head?: string,
): string {
  const first = head ?? (areWorked(shots) ? null : SHORT_ANSWERS);
  const examples = shots.map(
    (shot) => `${renderContext(shot.context)}Question: ${shot.question.trim()}\nAnswer: ${shot.answer}\n\n`,
  );
  const asked = `${renderContext(context)}Question: ${question}\nAnswer:`;
  return `${first === null ? "" : `${first}\n`}${examples.join("")}${asked}`;
}

/** A line with the text that a question is about, as in the published code of semantic entropy. */
export const renderContext = (context: string | undefined): string =>
  context === undefined ? "" : `Context: ${context.trim()}\n`;

/** A short answer ends with its line, a worked one where the model continues with a question of its own. */
const stopStringsOfShots = (shots: readonly Shot[]): readonly string[] =>
  areWorked(shots) ? ["\nQuestion:"] : ["\n"];

const SHORT_ANSWERS = "Answer the following question as briefly as possible.";

const areWorked = (shots: readonly Shot[]): boolean => shots.some(({ answer }) => answer.includes("\n"));

/** A prompt of the user's own, checked: it has `{question}`, and perhaps `{system}` and `{context}`. */
export interface PromptTemplate {
  /** What errors call it. */
  readonly name: string;
  readonly text: string;
}

/**
 * Checks a prompt template. One line break at its end is taken off, since editors add it and a model would see it.
 * @throws SepError `bad-option` without `{question}`
 */
export function createPromptTemplate(name: string, text: string): PromptTemplate {
  if (!text.includes(QUESTION)) {
    throw new SepError(
      "bad-option",
      `The prompt template ${name} has no {question}. Write {question} where the question belongs, {system} where the system prompt belongs, and {context} where the text belongs that a question is about.`,
    );
  }
  return { name, text: text.replace(/^\uFEFF/, "").replace(/\r?\n$/, "") };
}

/**
 * Fills a template in; braces around anything else stay as they are.
 * @returns the text, and the part of the template after the question
 * @throws SepError `bad-option` for a system prompt, or a context, that the template has no place for
 */
export function fillTemplate(
  { name, text }: PromptTemplate,
  { question, context }: Omit<Shot, "answer">,
  systemPrompt: string | undefined,
): { readonly text: string; readonly tail: string } {
  if (context !== undefined && !text.includes(CONTEXT)) {
    throw new SepError(
      "bad-option",
      `The prompt template ${name} has no {context}, but the questions have texts that they are about. Add it, or prepare the questions with --no-context.`,
    );
  }
  if (systemPrompt !== undefined && !text.includes(SYSTEM)) {
    throw new SepError(
      "bad-option",
      `The prompt template ${name} has no {system} for the system prompt. Add it, or leave out --system-prompt.`,
    );
  }
  return {
    // in one pass, so that a question with braces in it stays as it is
    text: text.replace(/\{(?:question|system|context)\}/g, (place) =>
      place === QUESTION ? question : ((place === CONTEXT ? context : systemPrompt) ?? ""),
    ),
    tail: text.slice(text.lastIndexOf(QUESTION) + QUESTION.length),
  };
}

const QUESTION = "{question}";
const SYSTEM = "{system}";
const CONTEXT = "{context}";
