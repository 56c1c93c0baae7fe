import type { RunRecord } from "../../src/samples/run-record.ts";

/** End token of the model that {@link REASONED_RUN} is of. */
export const END = 9;
/** Its `</think>`. */
export const CLOSE = 8;
/** What is known of the model where a run does not say how long its answer is. */
export const MODEL_ENDS = {
  endTokenIds: new Set([END]),
  decode: (ids: readonly number[]): string => ids.map((id) => `t${id}`).join(""),
};

/** Prompt of 3 tokens, then: think 5, `</think>`, answer 6 7, end. Only what says where states are read. */
export const REASONED_RUN: RunRecord = {
  question_id: "q",
  run_id: 0,
  prompt_tokens: [1, 2, 3],
  tokens: [5, CLOSE, 6, 7, END],
  think_token_indices: [0, 1],
  think_status: "closed",
} as unknown as RunRecord;
