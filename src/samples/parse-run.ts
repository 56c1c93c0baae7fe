import { BACKEND_NAMES } from "../checkpoint/model-profile.ts";
import type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
import {
  asRow,
  booleanField,
  countField,
  numberField,
  numbersField,
  oneOfField,
  orNull,
  type Row,
  stringField,
} from "../formats/row-fields.ts";
import { CORRECTNESS_RULES } from "../text/correctness-rule.ts";
import { TOKEN_ENTROPY_SUPPORTS } from "./answer-backend.ts";
import type { RunRecord, ThinkStatus } from "./run-record.ts";

/**
 * A run record from one line's value, with every field checked and the token lists held against each other.
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
    is_correct: booleanField(row, "is_correct"),
    // runs of other tools do not have it, and are judged as mathematics
    correctness: "correctness" in row ? oneOfField(row, "correctness", CORRECTNESS_RULES) : "math",
    extracted_answer: orNull(row, "extracted_answer", stringField),
    think_status: oneOfField(row, "think_status", THINK_STATUSES),
    finish_reason: oneOfField(row, "finish_reason", ["stop", "length"]),
    ...("answer_token_count" in row ? { answer_token_count: countField(row, "answer_token_count") } : {}),
    // at the place where it is written, so that a run that is read and written again has the same bytes
    ...("question" in row ? { question: stringField(row, "question") } : {}),
    prompt_tokens: numbersField(row, "prompt_tokens"),
    seed: numberField(row, "seed"),
    model: stringField(row, "model"),
    sampler: asRow(row.sampler) as unknown as SamplerSettings,
    ...("backend" in row ? { backend: oneOfField(row, "backend", BACKEND_NAMES) } : {}),
    ...("token_entropies_over" in row
      ? { token_entropies_over: oneOfField(row, "token_entropies_over", TOKEN_ENTROPY_SUPPORTS) }
      : {}),
    ...("sample_seed" in row ? { sample_seed: numberField(row, "sample_seed") } : {}),
  };
  checkTokens(run);
  return run;
}

const THINK_STATUSES: readonly ThinkStatus[] = ["closed", "truncated", "none"];

function spanField(row: Row, name: string): readonly [number, number] {
  const span = numbersField(row, name);
  if (span.length !== 2) throw new TypeError(`"${name}" has ${span.length} numbers, expected [start, end]`);
  return span as unknown as readonly [number, number];
}

function checkTokens({
  tokens,
  token_entropies,
  token_logprobs,
  think_token_indices,
  think_status,
  answer_token_count = tokens.length,
}: RunRecord): void {
  if (tokens.length === 0) throw new TypeError('"tokens" is empty');
  if (answer_token_count > tokens.length)
    throw new TypeError(`"answer_token_count" is ${answer_token_count} for ${tokens.length} tokens`);
  for (const [name, list] of Object.entries({ token_entropies, token_logprobs })) {
    if (list.length !== tokens.length)
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
