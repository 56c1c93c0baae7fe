import type { RunRecord } from "../sampling/run-record.ts";

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

type PlacedRun = Pick<RunRecord, "prompt_tokens" | "tokens" | "think_token_indices" | "think_status"> & {
  readonly finish_reason?: RunRecord["finish_reason"];
};

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
  run: PlacedRun,
  position: TracePosition,
  endTokenIds: ReadonlySet<number>,
  indices: PositionIndices = "exact",
): number | null {
  const promptLength = run.prompt_tokens.length;
  const answerLength = run.tokens.length;
  const hasCounted = position === "second-to-last" || position === "last-token";
  if (indices === "oatml-compat" && hasCounted) return locateAsOatml(run, position, endTokenIds);
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

/**
 * Their `hidden[k]` is the state that generated token k was predicted from, so the token before it, and they take
 * `hidden[n - 1]` for the last of n answer tokens and `hidden[n - 2]` for the second to last: both are one token
 * early. With one answer token, `hidden[-1]` is Python's last element.
 * @see OATML/semantic-entropy-probes, semantic_uncertainty/uncertainty/models/huggingface_models.py, `predict`
 */
function locateAsOatml(
  { prompt_tokens, tokens, finish_reason }: PlacedRun,
  position: "second-to-last" | "last-token",
  endTokenIds: ReadonlySet<number>,
): number | null {
  const steps = tokens.length;
  if (steps === 0) return null;
  const isEnded = endTokenIds.has(tokens.at(-1) as number) || finish_reason === "stop";
  const answerTokens = Math.max(1, isEnded ? steps - 1 : steps);
  const step = steps === 1 ? 0 : answerTokens - (position === "last-token" ? 1 : 2);
  return prompt_tokens.length - 1 + (step < 0 ? steps + step : step);
}
