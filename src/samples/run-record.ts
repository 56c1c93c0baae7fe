import type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
import type { ThinkStatus } from "../engine/generate/split-reasoning.ts";
import {
  asRow,
  booleanField,
  countField,
  numberField,
  numbersField,
  oneOfField,
  orNull,
  spanField,
  stringField,
} from "../formats/row-fields.ts";
import { GRADERS, type Grader } from "../text/open-answer.ts";

/**
 * What token entropies are computed over: the whole vocabulary, or the 20 most likely tokens with their probabilities
 * scaled to sum to 1. The second is lower, and the two cannot be compared.
 */
export const TOKEN_ENTROPY_SUPPORTS = ["vocabulary", "top-20"] as const;
export type TokenEntropySupport = (typeof TOKEN_ENTROPY_SUPPORTS)[number];

/**
 * One sampled answer, one line of `math_runs.jsonl` / `ood_runs.jsonl`. The keys up to `is_correct` are the
 * ones that Python pipelines of this kind write.
 */
export interface RunRecord {
  readonly dataset: string;
  readonly question_id: string;
  /** Index of the sample within its question, from 0. */
  readonly run_id: number;
  /** The full prompt text as the model got it, chat template included. */
  readonly prompt: string;
  /** Everything generated, without the end token or stop string. */
  readonly output_text: string;
  /** The text between the think tags, "" if there was no reasoning. */
  readonly think_text: string;
  /** The text after the reasoning (all of `output_text` where there was none). */
  readonly answer_text: string;
  /** [T] generated token ids, the end token included when one was generated; none of an imported text. */
  readonly tokens: readonly number[];
  /**
   * Half-open span [start, end) of the reasoning's tokens within `tokens`, tags and end token not included. When
   * `think_status` is "closed", `tokens[end]` is the `</think>` token. null if there was no reasoning.
   */
  readonly think_token_indices: readonly [number, number] | null;
  /** [T] entropy of the next-token distribution at each generated token, nats, temperature 1. */
  readonly token_entropies: readonly number[];
  /** [T] log-probability of each generated token, nats, temperature 1, full vocabulary. */
  readonly token_logprobs: readonly number[];
  /** Mean of `token_entropies` over the reasoning span; null if there was none. */
  readonly mean_think_entropy: number | null;
  /** null if a judge gave no clear verdict, or the user's labels leave the answer out. */
  readonly is_correct: boolean | null;
  /** What was asked; runs of other tools, and of version 0.1, do not have it. */
  readonly question?: string;
  /** The text that the question is about, where there is one. */
  readonly context?: string;
  /** The rule that extracted and graded the answer, or who graded it. */
  readonly correctness: Grader;
  /** The answer extracted from `answer_text`; null when none was found. */
  readonly extracted_answer: string | null;
  readonly think_status: ThinkStatus;
  readonly finish_reason: "stop" | "length";
  /**
   * How many of `tokens`, from the first on, hold `output_text`: all but those of a stop string, a stop token or an end
   * token. Runs of other tools, and of version 0.1, do not have it.
   */
  readonly answer_token_count?: number;
  /** [P] token ids of the prompt. */
  readonly prompt_tokens: readonly number[];
  /** Lengths of what other prompts of the study begin with, ascending; left out if there is nothing. */
  readonly shared_prompt_tokens?: readonly number[];
  readonly seed: number;
  readonly model: string;
  readonly sampler: SamplerSettings;
  /** Name of the backend that the model ran on. Runs of other tools and of version 0.1 have neither this nor the next. */
  readonly backend?: string;
  /** What `token_entropies` are computed over; the whole vocabulary if it is not there. */
  readonly token_entropies_over?: TokenEntropySupport;
  /** The seed that a server was given for this answer, made of `seed`, the question's id and the run's. */
  readonly sample_seed?: number;
}

/**
 * `backend` of texts that another tool sampled. Their tokens are not known, and of the lists over tokens only those that the
 * tool wrote are there; the others are empty.
 */
export const IMPORTED = "imported";

/** A run as far as a trace looks at it: what is read, and where its answer ends. */
export type TracedRun = Pick<
  RunRecord,
  | "question_id"
  | "run_id"
  | "model"
  | "prompt_tokens"
  | "shared_prompt_tokens"
  | "tokens"
  | "output_text"
  | "think_token_indices"
  | "think_status"
  | "finish_reason"
  | "answer_token_count"
> &
  Partial<Pick<RunRecord, "sampler">>;

/**
 * A run record from one line's value, with every field checked and the token lists compared with each other.
 * @throws TypeError with the reason, for the problem report
 */
export function parseRun(value: unknown): RunRecord {
  const row = asRow(value);
  const tokens = numbersField(row, "tokens");
  const run: RunRecord = {
    dataset: stringField(row, "dataset"),
    question_id: stringField(row, "question_id"),
    run_id: countField(row, "run_id"),
    prompt: stringField(row, "prompt"),
    output_text: stringField(row, "output_text"),
    think_text: stringField(row, "think_text"),
    answer_text: stringField(row, "answer_text"),
    tokens,
    think_token_indices: orNull(row, "think_token_indices", spanField),
    token_entropies: numbersField(row, "token_entropies"),
    token_logprobs: numbersField(row, "token_logprobs"),
    mean_think_entropy: orNull(row, "mean_think_entropy", numberField),
    is_correct: orNull(row, "is_correct", booleanField),
    // runs of other tools do not have it, and are graded as mathematics
    correctness: "correctness" in row ? oneOfField(row, "correctness", GRADERS) : "math",
    extracted_answer: orNull(row, "extracted_answer", stringField),
    think_status: oneOfField(row, "think_status", THINK_STATUSES),
    finish_reason: oneOfField(row, "finish_reason", ["stop", "length"]),
    ...("answer_token_count" in row ? { answer_token_count: countField(row, "answer_token_count") } : {}),
    // at the place where it is written, so that a run that is read and written again has the same bytes
    ...("question" in row ? { question: stringField(row, "question") } : {}),
    ...("context" in row ? { context: stringField(row, "context") } : {}),
    prompt_tokens: numbersField(row, "prompt_tokens"),
    ...("shared_prompt_tokens" in row
      ? { shared_prompt_tokens: numbersField(row, "shared_prompt_tokens") }
      : {}),
    seed: numberField(row, "seed"),
    model: stringField(row, "model"),
    sampler: asRow(row.sampler) as unknown as SamplerSettings,
    ...("backend" in row ? { backend: stringField(row, "backend") } : {}),
    ...("token_entropies_over" in row
      ? { token_entropies_over: oneOfField(row, "token_entropies_over", TOKEN_ENTROPY_SUPPORTS) }
      : {}),
    ...("sample_seed" in row ? { sample_seed: numberField(row, "sample_seed") } : {}),
  };
  checkTokens(run);
  return run;
}

const THINK_STATUSES: readonly ThinkStatus[] = ["closed", "truncated", "none"];

function checkTokens({
  tokens,
  token_entropies,
  token_logprobs,
  think_token_indices,
  think_status,
  answer_token_count = tokens.length,
  backend,
}: RunRecord): void {
  if (tokens.length === 0 && backend !== IMPORTED) throw new TypeError('"tokens" is empty');
  if (answer_token_count > tokens.length)
    throw new TypeError(`"answer_token_count" is ${answer_token_count} for ${tokens.length} tokens`);
  for (const [name, list] of Object.entries({ token_entropies, token_logprobs })) {
    if (list.length !== tokens.length && backend !== IMPORTED)
      throw new TypeError(`"${name}" has ${list.length} numbers for ${tokens.length} tokens`);
  }
  if (think_token_indices === null) {
    if (think_status === "closed")
      throw new TypeError('"think_token_indices" is null, and the reasoning closed');
    return;
  }
  const [start, end] = think_token_indices;
  const last = think_status === "closed" ? answer_token_count - 1 : answer_token_count; // `</think>` itself is at `end`
  if (!(Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= last))
    throw new TypeError(`"think_token_indices" is [${start}, ${end}] in ${answer_token_count} tokens`);
}
