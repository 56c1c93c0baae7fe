import type { RunRecord } from "../../src/samples/run-record.ts";
import { PLAIN_SAMPLER } from "./plain-sampler.ts";

/** A whole, valid run record of three tokens with reasoning; `changes` replace fields. */
export function makeRun(changes: Partial<RunRecord> = {}): RunRecord {
  return {
    dataset: "math",
    question_id: "q1",
    run_id: 0,
    prompt: "What is 1 + 1?",
    output_text: "<think></think>\\boxed{2}",
    think_text: "",
    answer_text: "\\boxed{2}",
    tokens: [5, 6, 7],
    think_token_indices: [0, 1],
    token_entropies: [0.5, 0.25, 0],
    token_logprobs: [-0.5, -0.25, 0],
    mean_think_entropy: 0.5,
    is_correct: true,
    correctness: "math",
    extracted_answer: "2",
    think_status: "closed",
    finish_reason: "stop",
    prompt_tokens: [1, 2],
    seed: 42,
    model: "fake",
    sampler: { ...PLAIN_SAMPLER, temperature: 0.6, topP: 0.9, maxNewTokens: 64 },
    ...changes,
  };
}
