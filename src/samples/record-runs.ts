import type { ModelProfile } from "../checkpoint/load-model-profile.ts";
import type { SampledAnswer } from "../engine/generate/generate.ts";
import type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
import { splitReasoning } from "../engine/generate/split-reasoning.ts";
import { buildPrompt, type Prompt } from "../engine/tokenizer/build-prompt.ts";
import type { PromptFormat } from "../engine/tokenizer/prompt-format.ts";
import { mean } from "../math/vector.ts";
import type { Grader } from "../text/open-answer.ts";
import type { AnswerBackend, AnswerSampler } from "./answer-backend.ts";
import { type Grade, gradeAnswer, leaveUngraded } from "./grade-answer.ts";
import { optional, type Question } from "./question.ts";
import type { RunRecord } from "./run-record.ts";

export interface RecordRunsOptions {
  readonly dataset: string;
  readonly sampler: SamplerSettings;
  readonly seed: number;
  /** Answers of `judge` and `labels` have no grade yet. */
  readonly correctness: Grader;
  readonly promptFormat?: PromptFormat;
  readonly systemPrompt?: string | undefined;
  readonly enableThinking?: boolean | undefined;
  /** Gives random streams of their own to samples that are not among a question's K. */
  readonly stream?: string | undefined;
}

/** Samples answers and describes them as rows of the runs file. */
export interface RunRecorder {
  promptOf(question: Question): Prompt;
  /** @param sampler of the recorder's backend */
  sample(
    sampler: Pick<AnswerSampler, "draw">,
    question: Question,
    runIds: readonly number[],
    signal?: AbortSignal,
  ): Promise<RunRecord[]>;
  /**
   * An earlier record of the same model and sampler, graded by the present rule and reference answer.
   * @returns null if the question was worded differently then
   */
  renew(question: Question, earlier: RunRecord): RunRecord | null;
}

/** A recorder of what a backend answers to one prompt format and sampler. */
export function createRunRecorder(
  { name, model, tokenEntropies }: Pick<AnswerBackend, "name" | "model" | "tokenEntropies">,
  {
    dataset,
    sampler,
    seed,
    correctness,
    promptFormat = "auto",
    systemPrompt,
    enableThinking,
    stream,
  }: RecordRunsOptions,
): RunRecorder {
  const ask = ({ question, context }: Question): Prompt =>
    buildPrompt(model.tokenizer, question, { format: promptFormat, systemPrompt, enableThinking, context });
  return {
    promptOf: ask,
    async sample({ draw }, question, runIds, signal) {
      const prompt = ask(question);
      const answers = await draw(prompt, {
        runIds,
        sampler,
        seed,
        streamKey: stream === undefined ? question.id : JSON.stringify([stream, question.id]),
        signal,
      });
      return answers.map((answer) => ({
        dataset,
        question_id: question.id,
        run_id: answer.runId,
        prompt: prompt.text,
        ...describeAnswer(model, prompt, answer, question, correctness),
        question: question.question,
        ...(question.context === undefined ? {} : { context: question.context }),
        prompt_tokens: prompt.tokenIds,
        ...optional("shared_prompt_tokens", prompt.sharedTokens ?? []),
        seed,
        model: model.provenance.id,
        sampler,
        backend: name,
        token_entropies_over: tokenEntropies,
        ...(answer.sampleSeed === undefined ? {} : { sample_seed: answer.sampleSeed }),
      }));
    },
    renew(question, earlier) {
      if (earlier.prompt !== ask(question).text) return null;
      return {
        ...earlier,
        question: question.question,
        ...grade(earlier.answer_text, question, correctness),
      };
    },
  };
}

const grade = (text: string, question: Question, correctness: Grader): Grade =>
  correctness === "judge" || correctness === "labels"
    ? leaveUngraded(text, question, correctness)
    : gradeAnswer(text, question, correctness);

function describeAnswer(
  { tokenizer }: ModelProfile,
  { opensReasoning }: Prompt,
  { text, tokenIds, answerTokenCount, logprobs, entropies, finishReason }: SampledAnswer,
  question: Question,
  correctness: Grader,
): Omit<
  RunRecord,
  | "dataset"
  | "question_id"
  | "run_id"
  | "prompt"
  | "question"
  | "context"
  | "prompt_tokens"
  | "shared_prompt_tokens"
  | "seed"
  | "model"
  | "sampler"
  | "backend"
  | "token_entropies_over"
  | "sample_seed"
> {
  const { status, span, thinkText, answerText } = splitReasoning(tokenizer, {
    text,
    tokenIds,
    answerTokenCount,
    opensReasoning,
  });
  const thinkEntropies = span === null ? [] : entropies.slice(...span);
  return {
    output_text: text,
    think_text: thinkText,
    answer_text: answerText,
    tokens: tokenIds,
    think_token_indices: span,
    token_entropies: entropies.map(roundStatistic),
    token_logprobs: logprobs.map(roundStatistic),
    mean_think_entropy: thinkEntropies.length === 0 ? null : roundStatistic(mean(thinkEntropies)),
    ...grade(answerText, question, correctness),
    think_status: status,
    finish_reason: finishReason,
    answer_token_count: answerTokenCount,
  };
}

/** Float32 logits carry about seven digits; more of them would only make the file longer. */
const STATISTIC_DECIMALS = 7;
const roundStatistic = (value: number): number => Number(value.toFixed(STATISTIC_DECIMALS));
