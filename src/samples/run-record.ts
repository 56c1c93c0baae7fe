import type { BackendName } from "../checkpoint/model-profile.ts";
import type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
import type { CorrectnessRule } from "../text/correctness-rule.ts";
import type { TokenEntropySupport } from "./answer-backend.ts";

/** How the model's reasoning span ended in the *generated* tokens. */
export type ThinkStatus = "closed" | "truncated" | "none";

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
  /** [T] generated token ids, the end token included when one was generated. */
  readonly tokens: readonly number[];
  /**
   * Half-open span [start, end) of the reasoning's tokens within `tokens`, tags and end token not included. When
   * `think_status` is "closed", `tokens[end]` is the `</think>` token. null where there was no reasoning.
   */
  readonly think_token_indices: readonly [number, number] | null;
  /** [T] entropy of the next-token distribution at each generated token, nats, temperature 1. */
  readonly token_entropies: readonly number[];
  /** [T] log-probability of each generated token, nats, temperature 1, full vocabulary. */
  readonly token_logprobs: readonly number[];
  /** Mean of `token_entropies` over the reasoning span; null where there was none. */
  readonly mean_think_entropy: number | null;
  readonly is_correct: boolean;
  /** What was asked; runs of other tools, and of version 0.1, do not have it. */
  readonly question?: string;
  /** The rule that found and judged the answer. */
  readonly correctness: CorrectnessRule;
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
  readonly seed: number;
  readonly model: string;
  readonly sampler: SamplerSettings;
  /** Where the model ran; runs of other tools, and of version 0.1, do not have it, nor the next. */
  readonly backend?: BackendName;
  /** What `token_entropies` are computed over; the whole vocabulary where it is not said. */
  readonly token_entropies_over?: TokenEntropySupport;
  /** The seed that a server was given for this answer, made of `seed`, the question's id and the run's. */
  readonly sample_seed?: number;
}
