import type { LanguageModel } from "../language-model.ts";
import { emptyKvBlock } from "../session/kv-block.ts";
import { extendRows } from "./extend-rows.ts";
import { logprobOf } from "./prediction.ts";
import type { PromptTokens } from "./prefill.ts";

/**
 * How likely a model is to go on from a prompt in each of some ways. All continuations run in one pass. What prompts begin
 * with is run once for all of them; prompts of a hundred tokens fill a pass, so that several at a time would gain nothing.
 * @param continuations [N] each at least one token
 * @returns [N] sum of the log-probabilities of all of its tokens, nats, temperature 1
 * @throws RangeError for an empty continuation, or a prompt that `prefill` does not take
 */
export async function scoreContinuations(
  model: LanguageModel,
  prompt: PromptTokens,
  continuations: readonly (readonly number[])[],
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<number[]> {
  if (continuations.some((tokens) => tokens.length === 0))
    throw new RangeError("a continuation of no tokens");
  const { prefix, logits, sums } = await model.prefill(prompt, { signal });
  const scores = continuations.map(([first]) => logprobOf(logits[first as number]!, sums));
  const longer = continuations.flatMap((tokens, index) => (tokens.length > 1 ? [{ tokens, index }] : []));
  if (longer.length === 0) return scores;
  const places = longer.flatMap(({ tokens, index }, row) =>
    tokens.slice(1).map((tokenId, offset) => ({ row, offset, index, tokenId })),
  );
  const rest = await extendRows(
    model.session,
    longer.map(({ tokens }) => tokens.slice(0, -1)),
    { prefix, suffix: emptyKvBlock(model.config, longer.length), predict: places, keepKv: false, signal },
  );
  const size = model.config.vocabularySize;
  for (const [row, { index, tokenId }] of places.entries())
    scores[index]! += logprobOf(rest.logits[row * size + tokenId]!, rest.sums[row]!);
  return scores;
}

/**
 * How many leading tokens of a prompt are those of a text that other prompts begin with, too; a token that reaches
 * beyond the text is none of them.
 * @param promptIds  [P]
 * @param openingIds the text by itself
 */
export function countShared(promptIds: readonly number[], openingIds: readonly number[]): number {
  const differs = openingIds.findIndex((id, index) => id !== promptIds[index]);
  return differs === -1 ? openingIds.length : differs;
}
