import type { RunRecord } from "../samples/run-record.ts";

/** Where in prompt + answer a hidden state is read. See docs/positions.md for pictures of each. */
export const TRACE_POSITIONS = ["before-generation", "second-to-last", "think-end", "last-token"] as const;

export type TracePosition = (typeof TRACE_POSITIONS)[number];

/**
 * How positions are counted.
 * - `exact`: as their names say.
 * - `oatml-compat`: as the code that was published with semantic entropy probes counts, to set numbers beside its own.
 */
export const POSITION_INDICES = ["exact", "oatml-compat"] as const;
export type PositionIndices = (typeof POSITION_INDICES)[number];

/** How the positions of traced states were counted, by their file's metadata. */
export const indicesOf = ({ indices }: Readonly<Record<string, string>>): PositionIndices =>
  indices === "oatml-compat" ? indices : "exact";

type PlacedRun = Pick<RunRecord, "prompt_tokens" | "tokens" | "think_token_indices" | "think_status">;

/**
 * Absolute index of a position in the sequence `[...prompt_tokens, ...tokens]`.
 * - `before-generation` (TBG): the prompt's last token.
 * - `second-to-last` (SLT): the answer's last token, in front of the end token or stop string; where generation was cut
 *   off by length there is neither, and it is the last generated token.
 * - `think-end`: the `</think>` token the model itself generated.
 * - `last-token`: the last generated token, which is the end token, or the last of a stop string, where there was one.
 * @param answerTokens how many of `tokens` are the answer's; see `countAnswerTokens`
 * @returns null where the run has no such token (no closed reasoning, or an answer that is only an end token)
 */
export function locatePosition(
  run: PlacedRun,
  position: TracePosition,
  answerTokens: number,
  indices: PositionIndices = "exact",
): number | null {
  const promptLength = run.prompt_tokens.length;
  const hasCounted = position === "second-to-last" || position === "last-token";
  if (indices === "oatml-compat" && hasCounted) return locateAsOatml(run, position, answerTokens);
  switch (position) {
    case "before-generation":
      return promptLength - 1;
    case "last-token":
      return run.tokens.length === 0 ? null : promptLength + run.tokens.length - 1;
    case "second-to-last":
      return answerTokens === 0 ? null : promptLength + answerTokens - 1;
    case "think-end":
      return run.think_status === "closed" && run.think_token_indices !== null
        ? promptLength + run.think_token_indices[1]
        : null;
  }
}

/**
 * Their `hidden[k]` is the state that generated token k was predicted from, so the token before it, and they take
 * `hidden[n - 1]` for the last of n answer tokens and `hidden[n - 2]` for the second to last: both are one token
 * early. With one answer token, `hidden[-1]` is Python's last element. n is the number of tokens of the text before the
 * end token or stop string, and 1 where that is empty.
 * @see OATML/semantic-entropy-probes, semantic_uncertainty/uncertainty/models/huggingface_models.py, `predict`
 */
function locateAsOatml(
  { prompt_tokens, tokens }: PlacedRun,
  position: "second-to-last" | "last-token",
  answerTokens: number,
): number | null {
  const steps = tokens.length;
  if (steps === 0) return null;
  const step = steps === 1 ? 0 : Math.max(1, answerTokens) - (position === "last-token" ? 1 : 2);
  return prompt_tokens.length - 1 + (step < 0 ? steps + step : step);
}
