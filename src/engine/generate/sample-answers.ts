import { SepError } from "../../errors.ts";
import { createRng, type Rng } from "../../math/rng.ts";
import type { LanguageModel } from "../language-model.ts";
import { emptyKvBlock, selectKvRows } from "../session/kv-block.ts";
import { type AnswerExtent, cutAnswer, endsInStopString } from "./answer-end.ts";
import { chooseToken, type VocabularyMass } from "./choose-token.ts";
import { extendRows } from "./extend-rows.ts";
import type { SamplerSettings } from "./sampler-settings.ts";

/** One answer drawn from a model. */
export interface SampledAnswer {
  readonly runId: number;
  /** [T] generated tokens, the end token included. */
  readonly tokenIds: readonly number[];
  /** Without end token and stop string. */
  readonly text: string;
  /** Leading tokens that hold `text`: those that are not of a stop string, nor a stop or end token. */
  readonly answerTokenCount: number;
  /** [T] nats; temperature 1, full vocabulary. */
  readonly logprobs: readonly number[];
  /** [T] nats; temperature 1; over what, its backend says. */
  readonly entropies: readonly number[];
  /** `stop`: an end token, stop token or stop string; `length`: cut off. */
  readonly finishReason: "stop" | "length";
  /** The seed of this answer alone, where a server was given one. */
  readonly sampleSeed?: number;
}

export interface SampleAnswersOptions {
  /** Which samples of the question to draw; each has its own random stream. */
  readonly runIds: readonly number[];
  readonly sampler: SamplerSettings;
  readonly seed: number;
  /** What the streams are keyed on beside seed and run id: the question's id. */
  readonly streamKey: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Draws answers to one prompt, all at once over one shared prefix. An answer depends on the model, the prompt,
 * the sampler, the seed, the stream key and its own run id, and on nothing else: not on how many are drawn, in
 * which order, or before or after an interruption.
 * @param promptIds [P]
 * @returns one answer per run id, in that order
 * @throws SepError `prompt-too-long`
 */
export async function sampleAnswers(
  model: LanguageModel,
  promptIds: readonly number[],
  { runIds, sampler, seed, streamKey, signal }: SampleAnswersOptions,
): Promise<SampledAnswer[]> {
  const { config, session } = model;
  const room = config.maxPositions - promptIds.length;
  if (room < 1) {
    throw new SepError(
      "prompt-too-long",
      `The prompt has ${promptIds.length} tokens, and the model takes ${config.maxPositions} with the answer. Shorten the question or the system prompt.`,
    );
  }
  const { prefix, logits: firstLogits } = await model.prefill(promptIds, { signal });
  const drafts = runIds.map((runId) =>
    createDraft(runId, promptIds, createRng("sample", seed, streamKey, runId)),
  );
  const limit = Math.min(sampler.maxNewTokens, room);

  let active = drafts;
  let suffix = emptyKvBlock(config, active.length);
  const first = await readPredictions(model, firstLogits, sampler);
  let predictions = active.map(() => first[0] as Prediction);
  while (active.length > 0) {
    active.forEach((draft, row) => {
      addToken(draft, predictions[row] as Prediction, model, sampler, limit);
    });
    const going = active.flatMap((draft, row) => (draft.finishReason === null ? [row] : []));
    if (going.length === 0) break;
    if (going.length < active.length) suffix = selectKvRows(config, suffix, going);
    active = going.map((row) => active[row] as Draft);
    const step = await extendRows(
      session,
      active.map(({ tokenIds }) => tokenIds.slice(-1)),
      { prefix, suffix, predict: active.map((_, row) => ({ row, offset: 0 })), signal },
    );
    suffix = step.suffix;
    predictions = await readPredictions(model, step.logits, sampler);
  }
  return drafts.map((draft) => finishDraft(draft));
}

/** What the model predicts after one row. */
interface Prediction {
  /** [V] */
  readonly logits: Float32Array;
  /** At the sampler's temperature; null for greedy decoding, which needs none. */
  readonly mass: VocabularyMass | null;
  /** Nats, at temperature 1. */
  readonly entropy: number;
  /** ln p of a token, nats, at temperature 1. */
  logprob(tokenId: number): number;
}

/** @param logits [rows, V] */
async function readPredictions(
  { vocabulary, config }: LanguageModel,
  logits: Float32Array,
  { temperature }: SamplerSettings,
): Promise<Prediction[]> {
  const size = config.vocabularySize;
  const rows = logits.length / size;
  const measures = await vocabulary.measure(logits, rows, temperature || 1);
  return Array.from({ length: rows }, (_, row) => {
    const own = logits.subarray(row * size, (row + 1) * size);
    const highest = measures.highest[row] as number;
    const highestLogprob = measures.highestLogprob[row] as number;
    const total = Math.exp(-(measures.temperedLogprob[row] as number));
    return {
      logits: own,
      mass: temperature === 0 ? null : { highest, total },
      // rounding can leave a hair below zero where one token has all the probability
      entropy: Math.max(0, measures.entropy[row] as number),
      logprob: (tokenId) => Math.min(0, (own[tokenId] as number) - highest + highestLogprob),
    };
  });
}

/** An answer that is being drawn. */
interface Draft {
  readonly runId: number;
  readonly rng: Rng;
  readonly seen: Set<number>;
  readonly tokenIds: number[];
  readonly logprobs: number[];
  readonly entropies: number[];
  /** Of the whole answer, once it has ended. */
  extent: AnswerExtent;
  finishReason: "stop" | "length" | null;
}

const createDraft = (runId: number, promptIds: readonly number[], rng: Rng): Draft => ({
  runId,
  rng,
  seen: new Set(promptIds),
  tokenIds: [],
  logprobs: [],
  entropies: [],
  extent: { text: "", answerTokenCount: 0 },
  finishReason: null,
});

function addToken(
  draft: Draft,
  { logits, mass, entropy, logprob }: Prediction,
  model: LanguageModel,
  sampler: SamplerSettings,
  limit: number,
): void {
  const tokenId = chooseToken(logits, sampler, draft.seen, draft.rng.next(), mass);
  draft.tokenIds.push(tokenId);
  draft.logprobs.push(logprob(tokenId));
  draft.entropies.push(entropy);
  draft.seen.add(tokenId);
  const { stopStrings, stopTokenIds } = sampler;
  const isEndToken = (id: number): boolean => model.endTokenIds.has(id) || stopTokenIds.includes(id);
  const ends = { isEndToken, stopStrings, decode: model.tokenizer.decode };
  if (isEndToken(tokenId) || endsInStopString(draft.tokenIds, ends)) {
    draft.finishReason = "stop";
  } else if (draft.tokenIds.length >= limit) {
    draft.finishReason = "length";
  }
  if (draft.finishReason !== null) draft.extent = cutAnswer(draft.tokenIds, ends);
}

function finishDraft({ runId, tokenIds, extent, logprobs, entropies, finishReason }: Draft): SampledAnswer {
  return { runId, tokenIds, ...extent, logprobs, entropies, finishReason: finishReason ?? "length" };
}
