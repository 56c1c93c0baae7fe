import { SepError } from "../../errors.ts";

/** A prompt of the user's own, checked: it has `{question}`, and perhaps `{system}`. */
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
      `The prompt template ${name} has no {question}. Write {question} where the question belongs, and {system} where --system-prompt does.`,
    );
  }
  return { name, text: text.replace(/^\uFEFF/, "").replace(/\r?\n$/, "") };
}

/**
 * Fills a template in; braces around anything else stay as they are.
 * @returns the text, and what of the template stands after the question
 * @throws SepError `bad-option` for a system prompt that the template has no place for
 */
export function fillTemplate(
  { name, text }: PromptTemplate,
  question: string,
  systemPrompt: string | undefined,
): { readonly text: string; readonly tail: string } {
  if (systemPrompt !== undefined && !text.includes(SYSTEM)) {
    throw new SepError(
      "bad-option",
      `The prompt template ${name} has no {system} for the system prompt. Add it, or leave out --system-prompt.`,
    );
  }
  return {
    // in one pass, so that a question with braces in it stays as it is
    text: text.replace(/\{(?:question|system)\}/g, (place) =>
      place === QUESTION ? question : (systemPrompt ?? ""),
    ),
    tail: text.slice(text.lastIndexOf(QUESTION) + QUESTION.length),
  };
}

const QUESTION = "{question}";
const SYSTEM = "{system}";
