import { logSumExp } from "../../math/entropy.ts";
import type { LanguageModel } from "../language-model.ts";
import { emptyKvBlock } from "../session/kv-block.ts";
import { extendRows } from "./extend-rows.ts";
import { sampleAnswers } from "./generate.ts";
import type { PromptTokens } from "./prefill.ts";
import { WHOLE_DISTRIBUTION } from "./sampler-settings.ts";

/** An answer that a model has sampled, and what it predicted for each of its tokens. */
export interface ReferenceAnswer {
  readonly prompt: PromptTokens;
  /** [T] */
  readonly tokenIds: readonly number[];
  /** [T, V] */
  readonly logits: Float32Array;
}

interface SampleReferenceOptions {
  /** Most tokens of an answer. */
  readonly tokens: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Samples an answer to each prompt from the model's own distribution (temperature 1, no filters, a fixed seed), and keeps
 * the model's predictions: 4 bytes for each token of an answer and of the vocabulary. Yields after each prompt.
 * @throws the signal's reason
 */
export async function* sampleReference(
  model: LanguageModel,
  prompts: readonly PromptTokens[],
  { tokens, signal }: SampleReferenceOptions,
): AsyncGenerator<void, ReferenceAnswer[]> {
  const sampler = { ...WHOLE_DISTRIBUTION, maxNewTokens: tokens, stopStrings: [], stopTokenIds: [] };
  const answers = await Promise.all(
    prompts.map(({ tokenIds, sharedTokens }, index) =>
      sampleAnswers(model, tokenIds, {
        runIds: [0],
        sampler,
        seed: 0,
        streamKey: `${index}`,
        sharedTokens,
        signal,
      }),
    ),
  );
  const references: ReferenceAnswer[] = [];
  for (const [index, prompt] of prompts.entries()) {
    const tokenIds = answers[index]?.[0]?.tokenIds as readonly number[];
    references.push({ prompt, tokenIds, logits: await predictAnswer(model, prompt, tokenIds, signal) });
    yield;
  }
  return references;
}

/**
 * How far a model is from the one that sampled the references: the Kullback-Leibler divergence KL(reference || model) of the
 * next token's distribution, mean over all tokens of the answers. Since the reference sampled them, this estimates the
 * divergence of the distributions of whole answers, per token (chain rule). Yields after each answer.
 * @returns nats per token, >= 0
 * @throws the signal's reason
 */
export async function* measureDivergence(
  model: LanguageModel,
  references: readonly ReferenceAnswer[],
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<void, number> {
  const { vocabularySize: size } = model.config;
  let sum = 0;
  let count = 0;
  for (const { prompt, tokenIds, logits } of references) {
    const own = await predictAnswer(model, prompt, tokenIds, signal);
    for (let at = 0; at < logits.length; at += size)
      sum += divergence(logits.subarray(at, at + size), own.subarray(at, at + size));
    count += tokenIds.length;
    yield;
  }
  // rounding can give slightly less than zero for equal distributions
  return Math.max(0, sum / count);
}

/** KL(softmax(p) || softmax(q)), nats. */
function divergence(p: Float32Array, q: Float32Array): number {
  const [logSumP, logSumQ] = [logSumExp(p), logSumExp(q)];
  let sum = 0;
  for (let id = 0; id < p.length; id++) {
    const logprob = (p[id] as number) - logSumP;
    sum += Math.exp(logprob) * (logprob - (q[id] as number) + logSumQ);
  }
  return sum;
}

/** @returns [T, V] logits of each token of an answer */
async function predictAnswer(
  model: LanguageModel,
  prompt: PromptTokens,
  tokenIds: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const { prefix, logits: first } = await model.prefill(prompt, { signal });
  const predicted = new Float32Array(tokenIds.length * first.length);
  predicted.set(first);
  const before = tokenIds.slice(0, -1); // the last token predicts none of them
  if (before.length === 0) return predicted;
  const { logits } = await extendRows(model.session, [before], {
    prefix,
    suffix: emptyKvBlock(model.config, 1),
    predict: before.map((_, offset) => ({ row: 0, offset })),
    keepKv: false,
    signal,
  });
  predicted.set(logits, first.length);
  return predicted;
}
