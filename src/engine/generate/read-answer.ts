import { SepError } from "../../errors.ts";
import type { LanguageModel } from "../language-model.ts";
import { stateAt } from "../layer-states.ts";
import { emptyKvBlock } from "../session/kv-block.ts";
import type { TokenSums } from "../session/vocabulary.ts";
import { type ExtendRowsResult, extendRows } from "./extend-rows.ts";
import { type GenerateOptions, type GenerationEvent, rankTokens, type SampledAnswer } from "./generate.ts";
import { logprobOf } from "./prediction.ts";
import type { PromptTokens } from "./prefill.ts";
import type { SamplerSettings } from "./sampler-settings.ts";
import { createTextDeltas } from "./text-deltas.ts";
import { tokeniseAnswer } from "./tokenise-answer.ts";

/** How a text is read as an answer; as for `generate`, which would have written it. */
export type ReadAnswerOptions = Pick<
  GenerateOptions,
  "layers" | "endState" | "text" | "topLogprobs" | "signal"
> & {
  /** What ends an answer. */
  readonly sampler: Pick<SamplerSettings, "stopStrings" | "stopTokenIds">;
  /** Tokens that follow a text without an end of its own, in place of the likeliest end token. */
  readonly ending?: readonly number[] | undefined;
};

/** Logits of a vocabulary of 150,000 take 38 MB at so many tokens. */
const TOKENS_AT_A_TIME = 64;

/**
 * Reads a text as the whole and complete answer to a prompt, reasoning and tags included, and yields the events with
 * which the model would have generated it. The text is tokenised by itself, and followed by what ends an answer: the
 * first stop string if there is one, else `ending`, else an end token, the likeliest after the text if there are several.
 * A text that already has its end gets no other.
 * @throws SepError `bad-option` for a text that continues after an end; `prompt-too-long`; the signal's reason
 */
export async function* readAnswer(
  model: LanguageModel,
  prompt: PromptTokens,
  given: string,
  {
    sampler,
    ending,
    layers = [],
    endState = true,
    text: hasText = true,
    topLogprobs = 0,
    signal,
  }: ReadAnswerOptions,
): AsyncGenerator<GenerationEvent, SampledAnswer> {
  const { config, session, tokenizer } = model;
  const { vocabularySize: size } = config;
  const { text, tokenIds: own, end = ending, answerTokenCount } = tokeniseAnswer(model, given, sampler);
  const mayEnd = end ?? [...model.endTokenIds].slice(0, 1);
  requireRoom(prompt.tokenIds.length, own.length + mayEnd.length, config.maxPositions);
  const prefilled = await model.prefill(prompt, { layers, signal });
  const answer = { tokenIds: [] as number[], logprobs: [] as number[], entropies: [] as number[] };
  const deltas = hasText ? createTextDeltas(tokenizer, sampler.stopStrings) : null;
  /** What the last token that has been run predicts. */
  let logits = prefilled.logits;
  let sums = prefilled.sums;
  let residual = prefilled.residual;
  let suffix = emptyKvBlock(config, 1);
  const stateOf = (pass: ExtendRowsResult | null, token: number): Float32Array | null =>
    pass === null || layers.length === 0 ? null : stateAt(pass.residuals, token, config.hiddenSize);

  /**
   * Reads tokens, the first of which `logits` predicts.
   * @param isRun whether the last of them is run, too, which its own prediction does not need
   */
  async function* run(
    tokens: readonly number[],
    { isEnd, isRun }: { readonly isEnd: boolean; readonly isRun: boolean },
  ): AsyncGenerator<GenerationEvent> {
    const toRun = isRun ? tokens : tokens.slice(0, -1);
    const offsets = toRun.map((_, offset) => ({ row: 0, offset }));
    const trace = layers.length > 0 ? offsets : [];
    const pass =
      toRun.length === 0
        ? null
        : await extendRows(session, [toRun], {
            prefix: prefilled.prefix,
            suffix,
            predict: offsets,
            trace,
            layers: trace.length > 0 ? layers : [],
            signal,
          });
    for (const [i, tokenId] of tokens.entries()) {
      // each token is predicted by the one before it
      const row =
        i === 0 ? logits : (pass as NonNullable<typeof pass>).logits.subarray((i - 1) * size, i * size);
      const own = i === 0 ? sums : (pass?.sums[i - 1] as TokenSums);
      const before = i === 0 ? residual : stateOf(pass, i - 1);
      const { entropy } = own;
      const logprob = logprobOf(row[tokenId] as number, own);
      answer.tokenIds.push(tokenId);
      answer.logprobs.push(logprob);
      answer.entropies.push(entropy);
      const isLast = isEnd && i === tokens.length - 1;
      yield {
        kind: "token",
        row: 0,
        tokenId,
        delta: (isLast ? deltas?.end(text) : deltas?.push(tokenId)) ?? "",
        logprob,
        entropy,
        top: topLogprobs > 0 ? rankTokens(row, topLogprobs, (id) => logprobOf(row[id] as number, own)) : [],
        residual: before,
      };
    }
    residual = null;
    if (pass === null) return;
    suffix = pass.suffix;
    logits = pass.logits.slice(-size);
    sums = pass.sums.at(-1) as TokenSums;
    if (isRun) residual = stateOf(pass, toRun.length - 1);
  }

  const mayBeLast = mayEnd.length === 0;
  for (let from = 0; from < own.length; from += TOKENS_AT_A_TIME) {
    const to = from + TOKENS_AT_A_TIME;
    yield* run(own.slice(from, to), { isEnd: mayBeLast && to >= own.length, isRun: true });
  }
  const ends = end ?? likeliest(logits, model.endTokenIds);
  if (ends.length > 0) yield* run(ends, { isEnd: true, isRun: endState && layers.length > 0 });
  const whole: SampledAnswer = { runId: 0, ...answer, text, answerTokenCount, finishReason: "stop" };
  yield { kind: "end", row: 0, answer: whole, residual };
  return whole;
}

function requireRoom(promptTokens: number, answerTokens: number, maxPositions: number): void {
  if (promptTokens + answerTokens <= maxPositions) return;
  throw new SepError(
    "prompt-too-long",
    `The prompt has ${promptTokens} tokens and the answer ${answerTokens}, but the model takes ${maxPositions} for both together. Shorten the question or the answer.`,
  );
}

/** @param logits [V] @returns one token; none if there are no candidates */
function likeliest(logits: Float32Array, candidates: ReadonlySet<number>): readonly number[] {
  return [...candidates].reduce<readonly number[]>(
    ([best], id) =>
      best !== undefined && (logits[best] as number) >= (logits[id] as number) ? [best] : [id],
    [],
  );
}
