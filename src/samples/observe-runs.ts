import type { ModelProfile } from "../checkpoint/load-model-profile.ts";
import { observeAnswer, observerEnds } from "../engine/generate/observe-answer.ts";
import type { ReadingPrompt } from "../engine/observation.ts";
import { buildPrompt, type Prompt, type PromptOptions } from "../engine/tokenizer/build-prompt.ts";
import { type PromptFormat, resolvePromptFormat } from "../engine/tokenizer/prompt-format.ts";
import { SepError } from "../errors.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import { describePromptFormat, matchPromptFormat } from "./describe-prompt-format.ts";
import type { RunRecord, TracedRun } from "./run-record.ts";

/** A model that reads what others wrote, and the prompt that it reads before. */
export interface Observer {
  readonly model: ModelProfile;
  /** Its format is decided: not `auto`. */
  readonly prompting: PromptOptions & { readonly format: PromptFormat };
}

/** @throws SepError `bad-option` as `buildPrompt`, when the first answer is read */
export const createObserver = (model: ModelProfile, prompting: PromptOptions = {}): Observer => ({
  model,
  prompting: { ...prompting, format: resolvePromptFormat(prompting.format ?? "auto", model.tokenizer) },
});

/** What of an observer's prompts is recorded. */
export const describeReading = ({ prompting }: Observer): ReadingPrompt => ({
  prompt_format: describePromptFormat(prompting.format),
  system_prompt: prompting.systemPrompt ?? null,
  enable_thinking: prompting.enableThinking ?? null,
});

/**
 * The observer of a record.
 * @param format needed for few-shot prompts and templates, of which the record has a hash
 * @throws SepError as `matchPromptFormat`
 */
export const recordedObserver = (
  model: ModelProfile,
  { prompt_format, system_prompt, enable_thinking }: ReadingPrompt,
  format?: PromptFormat,
): Observer =>
  createObserver(model, {
    format: matchPromptFormat(model.tokenizer, prompt_format, format, "The trace read answers after prompts"),
    systemPrompt: system_prompt ?? undefined,
    enableThinking: enable_thinking ?? undefined,
  });

/** Runs in the tokens of the model that reads them. */
interface ObservedRuns {
  readonly runs: readonly TracedRun[];
  /** Runs that it cannot read, counted by the reason. */
  readonly leftOut: ReadonlyMap<string, number>;
}

/**
 * Puts runs into the tokens of a model that reads them: its prompt for the question, then all that was generated, then its
 * end token. Their own tokens are not looked at, so texts of any origin can be read.
 * @throws SepError `bad-option` and `bad-tokenizer` as `buildPrompt`
 */
export function observeRuns(runs: readonly RunRecord[], { model, prompting }: Observer): ObservedRuns {
  const ends = observerEnds(model, prompting.format);
  const prompts = new Map<string, Prompt>();
  const ask = (question: string, context: string | undefined): Prompt => {
    const key = JSON.stringify([question, context ?? null]);
    const prompt = prompts.get(key) ?? buildPrompt(model.tokenizer, question, { ...prompting, context });
    prompts.set(key, prompt);
    return prompt;
  };
  const observed: TracedRun[] = [];
  const leftOut = new Map<string, number>();
  for (const run of runs) {
    const { question, context } = run;
    const read = question === undefined ? NO_QUESTION : readRun(run, ask(question, context), model, ends);
    if (typeof read === "string") leftOut.set(read, (leftOut.get(read) ?? 0) + 1);
    else observed.push(read);
  }
  return { runs: observed, leftOut };
}

const NO_QUESTION = "the text of their question is not recorded";

/** @returns the reason why it cannot be read */
function readRun(
  { question_id, run_id, model: writer, output_text }: RunRecord,
  prompt: Prompt,
  model: ModelProfile,
  ends: ReturnType<typeof observerEnds>,
): TracedRun | string {
  let answer: ReturnType<typeof observeAnswer>;
  try {
    answer = observeAnswer(model, prompt, output_text, ends);
  } catch (error) {
    if (error instanceof SepError && error.code === "bad-option")
      return "they continue after an end token of the model that reads";
    throw error;
  }
  const { tokenIds, text, answerTokenCount, reasoning } = answer;
  const { maxPositions } = model.config;
  if (prompt.tokenIds.length + tokenIds.length > maxPositions)
    return `with their prompt they have more than the ${maxPositions} tokens that the model takes`;
  return {
    question_id,
    run_id,
    model: writer,
    prompt_tokens: prompt.tokenIds,
    tokens: tokenIds,
    output_text: text,
    think_token_indices: reasoning.span,
    think_status: reasoning.status,
    finish_reason: "stop",
    answer_token_count: answerTokenCount,
  };
}

/** What was left out when runs were read. */
export const warnOfUnread = ({ leftOut }: ObservedRuns, total: number): ManifestWarning[] =>
  [...leftOut].map(([reason, count]) => ({
    code: "unread-answers",
    message: `${count} of ${total} answers were left out: ${reason}.`,
  }));
