import { extendRows } from "../engine/generate/extend-rows.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { type LayerStates, stackStates } from "../engine/layer-states.ts";
import { emptyKvBlock } from "../engine/session/kv-block.ts";
import type { AnswerToTrace, ReadStatesOptions, TracedAnswers } from "./state-backend.ts";

/** Bounds the memory of one pass: the attention scores and the MLP's activations of this many tokens. */
const MAX_TOKENS_PER_PASS = 4096;

/**
 * Reads the residual stream of several answers to one prompt. The prompt runs once, what it shares with others once for all of
 * them, and the answers, however long each is, run over its keys and values in parallel.
 */
export async function traceAnswers(
  model: LanguageModel,
  promptIds: readonly number[],
  answers: readonly AnswerToTrace[],
  { layers, sharedTokens, signal }: ReadStatesOptions,
): Promise<TracedAnswers> {
  const { session, config } = model;
  const { prefix, residual } = await model.prefill({ tokenIds: promptIds, sharedTokens }, { layers, signal });
  const nothing = stackStates([], layers.length);
  const traced: LayerStates[] = answers.map(() => nothing);
  for (const batch of batchByLength(answers)) {
    const places = batch.flatMap(({ answer }, row) =>
      answer.indices.map((index) => ({ row, offset: index - promptIds.length })),
    );
    const { residuals } = await extendRows(
      session,
      batch.map(({ answer }) => answer.tokenIds),
      { prefix, suffix: emptyKvBlock(config, batch.length), trace: places, layers, keepKv: false, signal },
    );
    let end = 0;
    for (const { answer, position } of batch) {
      const from = end * config.hiddenSize;
      end += answer.indices.length;
      traced[position] = residuals.map((states) => states.subarray(from, end * config.hiddenSize));
    }
  }
  return { beforeGeneration: residual as Float32Array, answers: traced };
}

/** Answers of like length together, so that little is padded; those with nothing to read are left out. */
function batchByLength(
  answers: readonly AnswerToTrace[],
): { readonly answer: AnswerToTrace; readonly position: number }[][] {
  const ordered = answers
    .map((answer, position) => ({ answer, position }))
    .filter(({ answer }) => answer.indices.length > 0)
    .sort((a, b) => a.answer.tokenIds.length - b.answer.tokenIds.length || a.position - b.position);
  const batches: { readonly answer: AnswerToTrace; readonly position: number }[][] = [];
  for (const entry of ordered) {
    const last = batches.at(-1);
    const fits =
      last !== undefined && (last.length + 1) * entry.answer.tokenIds.length <= MAX_TOKENS_PER_PASS;
    if (fits) last.push(entry);
    else batches.push([entry]);
  }
  return batches;
}
