import { SepError } from "../../errors.ts";
import { createRng, type Rng } from "../../math/rng.ts";
import type { LanguageModel, PrefilledPrompt } from "../language-model.ts";
import { emptyKvBlock, selectKvRows } from "../session/kv-block.ts";
import { buildPrompt, type Prompt, type PromptOptions } from "../tokenizer/build-prompt.ts";
import type { ChatMessage } from "../tokenizer/chat-template.ts";
import { cutAnswer, endsInStopString } from "./answer-end.ts";
import { createTokenChooser, type VocabularyMass } from "./choose-token.ts";
import { extendRows } from "./extend-rows.ts";
import type { SamplerSettings } from "./sampler-settings.ts";
import { createTextDeltas, type TextDeltas } from "./text-deltas.ts";

/** One answer sampled from a model. */
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

/** Token ids, a prompt that was run already (`model.prefill`), or the messages of a conversation. */
export type GenerationPrompt = Pick<Prompt, "tokenIds"> | PrefilledPrompt | readonly ChatMessage[];

export interface GenerateOptions
  extends Pick<SampleAnswersOptions, "sampler" | "signal">,
    Partial<Pick<SampleAnswersOptions, "runIds" | "seed" | "streamKey">> {
  /** How messages become a prompt. */
  readonly prompting?: PromptOptions;
  /** Residual layers, 0 .. L, to read at every token in the passes that generate; those of a prompt that was run. */
  readonly layers?: readonly number[];
  /** Whether events have text; without it no token is decoded before its answer has ended. */
  readonly text?: boolean;
}

/** A token was drawn. */
export interface TokenEvent {
  readonly kind: "token";
  /** Index in `runIds`. */
  readonly row: number;
  readonly tokenId: number;
  /** The text that this token completes; joined, an answer's deltas are its text. */
  readonly delta: string;
  /** Nats; temperature 1, full vocabulary. */
  readonly logprob: number;
  /** Of the distribution that predicted the token, at temperature 1 and without filters; nats. */
  readonly entropy: number;
  /** [layers * D] of the token before this one, which predicted it; null without `layers`. */
  readonly residual: Float32Array | null;
}

/** An answer has ended; its last token's event comes before. */
export interface EndEvent {
  readonly kind: "end";
  readonly row: number;
  readonly answer: SampledAnswer;
  /** The residual stream of the answer's last token, which predicted nothing, in a pass of its own: [layers * D]. */
  readLast(): Promise<Float32Array>;
}

export type GenerationEvent = TokenEvent | EndEvent;

/**
 * Generates answers to one prompt or conversation, all in the same passes over one shared prefix, and yields every
 * token as it is drawn. An answer depends on the model, the prompt, the sampler, the seed, the stream key and its own
 * run id, and on nothing else: not on how many are drawn, in which order, or before or after an interruption.
 * @returns one answer per run id, in that order
 * @throws SepError `prompt-too-long`, and for messages as `buildPrompt`; the signal's reason
 */
export async function* generate(
  model: LanguageModel,
  prompt: GenerationPrompt,
  {
    sampler,
    runIds = [0],
    seed = 42,
    streamKey = "",
    signal,
    prompting,
    layers = [],
    text = true,
  }: GenerateOptions,
): AsyncGenerator<GenerationEvent, SampledAnswer[]> {
  const { config, session } = model;
  const asked = isConversation(prompt) ? buildPrompt(model.tokenizer, prompt, prompting) : prompt;
  const limit = Math.min(sampler.maxNewTokens, roomAfter(asked.tokenIds, config.maxPositions));
  const prefilled = isPrefilled(asked) ? asked : await model.prefill(asked.tokenIds, { layers, signal });
  const { prefix, layers: read } = prefilled;
  const addToken = createTokenAdder(model, sampler, limit);
  const drafts = runIds.map((runId, row) =>
    createDraft(runId, row, {
      rng: createRng("sample", seed, streamKey, runId),
      seen: new Set(asked.tokenIds),
      deltas: text ? createTextDeltas(model.tokenizer.decode, sampler.stopStrings) : null,
    }),
  );

  let active = drafts;
  let suffix = emptyKvBlock(config, active.length);
  const first = await readPredictions(model, prefilled.logits, [prefilled.residual], sampler);
  let predictions = active.map(() => first[0] as Prediction);
  while (active.length > 0) {
    const before = suffix;
    for (const [index, draft] of active.entries()) {
      yield addToken(draft, predictions[index] as Prediction);
      const { row, answer } = draft;
      if (answer === null) continue;
      const readLast = async (): Promise<Float32Array> => {
        const last = await extendRows(session, [answer.tokenIds.slice(-1)], {
          prefix,
          suffix: selectKvRows(config, before, [index]),
          trace: [{ row: 0, offset: 0 }],
          layers: read,
          keepKv: false,
          signal,
        });
        return last.residuals[0] as Float32Array;
      };
      yield { kind: "end", row, answer, readLast };
    }
    const going = active.flatMap(({ answer }, index) => (answer === null ? [index] : []));
    if (going.length === 0) break;
    if (going.length < active.length) suffix = selectKvRows(config, suffix, going);
    active = going.map((index) => active[index] as Draft);
    const places = active.map((_, row) => ({ row, offset: 0 }));
    const step = await extendRows(
      session,
      active.map(({ tokenIds }) => tokenIds.slice(-1)),
      { prefix, suffix, predict: places, trace: read.length > 0 ? places : [], layers: read, signal },
    );
    suffix = step.suffix;
    predictions = await readPredictions(model, step.logits, step.residuals, sampler);
  }
  return drafts.map(({ answer }) => answer as SampledAnswer);
}

/**
 * Samples answers to one prompt; see {@link generate}.
 * @param promptIds [P]
 * @returns one answer per run id, in that order
 * @throws SepError `prompt-too-long`; the signal's reason
 */
export async function sampleAnswers(
  model: LanguageModel,
  promptIds: readonly number[],
  options: SampleAnswersOptions,
): Promise<SampledAnswer[]> {
  const events = generate(model, { tokenIds: promptIds }, { ...options, text: false });
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value;
  }
}

const isConversation = (prompt: GenerationPrompt): prompt is readonly ChatMessage[] => Array.isArray(prompt);

const isPrefilled = (prompt: Pick<Prompt, "tokenIds"> | PrefilledPrompt): prompt is PrefilledPrompt =>
  "prefix" in prompt;

function roomAfter(promptIds: readonly number[], maxPositions: number): number {
  const room = maxPositions - promptIds.length;
  if (room >= 1) return room;
  throw new SepError(
    "prompt-too-long",
    `The prompt has ${promptIds.length} tokens, but the model takes ${maxPositions}, answer included. Shorten the question or the system prompt.`,
  );
}

/** What the model predicts after one row. */
interface Prediction {
  /** [V] */
  readonly logits: Float32Array;
  /** [layers * D] */
  readonly residual: Float32Array | null;
  /** At the sampler's temperature; null for greedy decoding, which needs none. */
  readonly mass: VocabularyMass | null;
  /** Nats, at temperature 1. */
  readonly entropy: number;
  /** ln p of a token, nats, at temperature 1. */
  logprob(tokenId: number): number;
}

/**
 * @param logits [rows, V]
 * @param residuals per row [layers * D]; none where none were read
 */
async function readPredictions(
  { vocabulary, config }: LanguageModel,
  logits: Float32Array,
  residuals: readonly (Float32Array | null)[],
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
      residual: residuals[row] ?? null,
      mass: temperature === 0 ? null : { highest, total },
      // rounding can give slightly less than zero if one token has all the probability
      entropy: Math.max(0, measures.entropy[row] as number),
      logprob: (tokenId) => Math.min(0, (own[tokenId] as number) - highest + highestLogprob),
    };
  });
}

/** An answer that is being generated. */
interface Draft {
  readonly runId: number;
  readonly row: number;
  readonly rng: Rng;
  readonly seen: Set<number>;
  /** null if nobody wants the text before the answer has ended. */
  readonly deltas: TextDeltas | null;
  readonly tokenIds: number[];
  readonly logprobs: number[];
  readonly entropies: number[];
  /** null until it has ended. */
  answer: SampledAnswer | null;
}

const createDraft = (runId: number, row: number, parts: Pick<Draft, "rng" | "seen" | "deltas">): Draft => ({
  runId,
  row,
  ...parts,
  tokenIds: [],
  logprobs: [],
  entropies: [],
  answer: null,
});

/** A function that draws a draft's next token, and ends the draft where that is its last. */
function createTokenAdder(
  { tokenizer: { decode }, endTokenIds }: LanguageModel,
  sampler: SamplerSettings,
  limit: number,
): (draft: Draft, prediction: Prediction) => TokenEvent {
  const choose = createTokenChooser(sampler);
  const { stopStrings, stopTokenIds } = sampler;
  const isEndToken = (id: number): boolean => endTokenIds.has(id) || stopTokenIds.includes(id);
  const ends = { isEndToken, stopStrings, decode };
  return (draft, { logits, mass, entropy, residual, logprob: logprobOf }) => {
    const { runId, row, tokenIds, logprobs, entropies, deltas } = draft;
    const tokenId = choose(logits, draft.seen, draft.rng.next(), mass);
    const logprob = logprobOf(tokenId);
    tokenIds.push(tokenId);
    logprobs.push(logprob);
    entropies.push(entropy);
    draft.seen.add(tokenId);
    const isStopped = isEndToken(tokenId) || endsInStopString(tokenIds, ends);
    if (isStopped || tokenIds.length >= limit) {
      const finishReason = isStopped ? "stop" : "length";
      draft.answer = { runId, tokenIds, ...cutAnswer(tokenIds, ends), logprobs, entropies, finishReason };
    }
    const delta = (draft.answer === null ? deltas?.push(tokenId) : deltas?.end(draft.answer.text)) ?? "";
    return { kind: "token", row, tokenId, delta, logprob, entropy, residual };
  };
}
