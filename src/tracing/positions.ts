import type { RunRecord } from "../sampling/run-record.ts";

/** Where in prompt + answer a hidden state is read. See docs/positions.md for pictures of each. */
export const TRACE_POSITIONS = ["before-generation", "second-to-last", "think-end", "last-token"] as const;

export type TracePosition = (typeof TRACE_POSITIONS)[number];

/**
 * Absolute index of a position in the sequence `[...prompt_tokens, ...tokens]`.
 * - `before-generation` (TBG): the prompt's last token.
 * - `second-to-last` (SLT): the last answer token before the end token; where generation was cut off by length
 *   there is no end token and it is the last generated token.
 * - `think-end`: the `</think>` token the model itself generated.
 * - `last-token`: the last generated token, the end token where one was generated.
 * @returns null where the run has no such token (no closed reasoning, or an answer that is only an end token)
 */
export function locatePosition(
  run: Pick<RunRecord, "prompt_tokens" | "tokens" | "think_token_indices" | "think_status">,
  position: TracePosition,
  endTokenIds: ReadonlySet<number>,
): number | null {
  const promptLength = run.prompt_tokens.length;
  const answerLength = run.tokens.length;
  switch (position) {
    case "before-generation":
      return promptLength - 1;
    case "last-token":
      return answerLength === 0 ? null : promptLength + answerLength - 1;
    case "second-to-last": {
      const lastToken = run.tokens[answerLength - 1];
      const ended = lastToken !== undefined && endTokenIds.has(lastToken);
      const offset = answerLength - (ended ? 2 : 1);
      return offset < 0 ? null : promptLength + offset;
    }
    case "think-end":
      return run.think_status === "closed" && run.think_token_indices !== null
        ? promptLength + run.think_token_indices[1]
        : null;
  }
}
