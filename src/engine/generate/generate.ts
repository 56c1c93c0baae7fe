import { SepError } from "../../errors.ts";
import { createRng, type Rng } from "../../math/rng.ts";
import type { LanguageModel } from "../language-model.ts";
import { buildPrompt, type PromptOptions } from "../tokenizer/build-prompt.ts";
import type { ChatMessage } from "../tokenizer/chat-template.ts";
import { cutAnswer, endsInStopString } from "./answer-end.ts";
import { createTokenChooser, reachOf, requireWhole } from "./choose-token.ts";
import type { Prediction } from "./prediction.ts";
import type { PrefilledPrompt, PromptTokens } from "./prefill.ts";
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
  /** Lengths of what other prompts begin with, too, ascending: these tokens are run once. */
  readonly sharedTokens?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Token ids, a prompt that was run already (`model.prefill`), or the messages of a conversation. */
export type GenerationPrompt = PromptTokens | PrefilledPrompt | readonly ChatMessage[];

export interface GenerateOptions
  extends Pick<SampleAnswersOptions, "sampler" | "signal">,
    Partial<Pick<SampleAnswersOptions, "runIds" | "seed" | "streamKey">> {
  /** How messages become a prompt. */
  readonly prompting?: PromptOptions;
  /** Residual layers, 0 .. L, to read at every token in the passes that generate; those of a prompt that was run. */
  readonly layers?: readonly number[];
  /**
   * Whether to read them at an end token, or at the last token of a stop string, too. It takes a pass of its own, which an
   * answer's end waits for, and few places are there (see `PLACES`); true by default.
   */
  readonly endState?: boolean | undefined;
  /** Whether events have text; without it no token is decoded before its answer has ended. */
  readonly text?: boolean;
  /** How many of the likeliest tokens each event names; 0 by default. */
  readonly topLogprobs?: number | undefined;
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
  /** The likeliest tokens in this one's place, the first one first; empty without `topLogprobs`. */
  readonly top: readonly RankedToken[];
  /** [layers * D] of the token before this one, which predicted it; null without `layers`. */
  readonly residual: Float32Array | null;
}

/** A token and how likely it was. */
export interface RankedToken {
  readonly tokenId: number;
  /** Nats; temperature 1, full vocabulary. */
  readonly logprob: number;
}

/** An answer has ended; its last token's event comes before. */
export interface EndEvent {
  readonly kind: "end";
  readonly row: number;
  readonly answer: SampledAnswer;
  /** [layers * D] of the answer's last token, which predicted nothing; null without `layers`, or where `endState` leaves it out. */
  readonly residual: Float32Array | null;
}

export type GenerationEvent = TokenEvent | EndEvent;

/**
 * Generates answers to one prompt or conversation over one shared prefix, and yields every token as it is drawn. All that
 * one model generates at a time runs in the same passes. An answer depends on the model, the prompt, the sampler, the
 * seed, the stream key and its own run id, and on nothing else: not on what runs beside it, in which order, or before or
 * after an interruption.
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
    endState = true,
    text = true,
    topLogprobs = 0,
  }: GenerateOptions,
): AsyncGenerator<GenerationEvent, SampledAnswer[]> {
  const asked = isConversation(prompt) ? buildPrompt(model.tokenizer, prompt, prompting) : prompt;
  const limit = Math.min(sampler.maxNewTokens, roomAfter(asked.tokenIds, model.config.maxPositions));
  const addToken = createTokenAdder(model, { sampler, limit, topLogprobs });
  const read = isPrefilled(asked) ? asked.layers : layers;
  const drafts = runIds.map((runId, row) =>
    createDraft(runId, row, {
      rng: createRng("sample", seed, streamKey, runId),
      seen: new Set(asked.tokenIds),
      deltas: text ? createTextDeltas(model.tokenizer, sampler.stopStrings) : null,
    }),
  );
  const events: GenerationEvent[] = [];
  const end = (row: number, residual: Float32Array | null): void => {
    events.push({ kind: "end", row, answer: drafts[row]?.answer as SampledAnswer, residual });
  };
  const state: { outcome: "running" | "finished" | { readonly failure: unknown } } = { outcome: "running" };
  let wake = (): void => undefined;
  const conclude = (outcome: typeof state.outcome): void => {
    state.outcome = outcome;
    wake();
  };
  const withdraw = model.batcher.submit({
    prompt: asked,
    rows: runIds.length,
    maxTokens: limit,
    temperature: sampler.temperature,
    layers: read,
    signal,
    reach: (row) =>
      topLogprobs > 0
        ? { window: 0, share: 0, whole: true }
        : reachOf(sampler, model.config.vocabularySize, (drafts[row] as Draft).uniform),
    next(row, prediction) {
      const draft = drafts[row] as Draft;
      const event = addToken(draft, prediction);
      events.push(event);
      wake();
      if (draft.answer === null) return { tokenId: event.tokenId, isLast: false };
      if (read.length > 0 && (endState || endsInText(draft.answer)))
        return { tokenId: event.tokenId, isLast: true };
      end(row, null);
      return null;
    },
    close(row, residual) {
      end(row, residual);
      wake();
    },
    finish: () => conclude("finished"),
    fail: (failure) => conclude({ failure }),
  });
  try {
    for (;;) {
      yield* events.splice(0);
      if (events.length > 0) continue;
      const { outcome } = state;
      if (outcome === "finished") return drafts.map(({ answer }) => answer as SampledAnswer);
      if (outcome !== "running") throw outcome.failure;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  } finally {
    withdraw();
  }
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
  { sharedTokens, ...options }: SampleAnswersOptions,
): Promise<SampledAnswer[]> {
  const events = generate(model, { tokenIds: promptIds, sharedTokens }, { ...options, text: false });
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value;
  }
}

/** Whether the last token is one of the text. */
const endsInText = ({ tokenIds, answerTokenCount }: SampledAnswer): boolean =>
  answerTokenCount === tokenIds.length;

const isConversation = (prompt: GenerationPrompt): prompt is readonly ChatMessage[] => Array.isArray(prompt);

const isPrefilled = (prompt: PromptTokens | PrefilledPrompt): prompt is PrefilledPrompt => "prefix" in prompt;

function roomAfter(promptIds: readonly number[], maxPositions: number): number {
  const room = maxPositions - promptIds.length;
  if (room >= 1) return room;
  throw new SepError(
    "prompt-too-long",
    `The prompt has ${promptIds.length} tokens, but the model takes ${maxPositions}, answer included. Shorten the question or the system prompt.`,
  );
}

/** An answer that is being generated. */
interface Draft {
  readonly runId: number;
  readonly row: number;
  readonly rng: Rng;
  /** What its next token will be drawn with. */
  uniform: number;
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
  uniform: parts.rng.next(),
  tokenIds: [],
  logprobs: [],
  entropies: [],
  answer: null,
});

/** A function that draws a draft's next token, and ends the draft where that is its last. */
function createTokenAdder(
  { tokenizer: { decode }, endTokenIds }: LanguageModel,
  {
    sampler,
    limit,
    topLogprobs,
  }: {
    readonly sampler: SamplerSettings;
    readonly limit: number;
    readonly topLogprobs: number;
  },
): (draft: Draft, prediction: Prediction) => TokenEvent {
  const choose = createTokenChooser(sampler);
  const { stopStrings, stopTokenIds } = sampler;
  const isEndToken = (id: number): boolean => endTokenIds.has(id) || stopTokenIds.includes(id);
  const ends = { isEndToken, stopStrings, decode };
  return (draft, { scores, entropy, residual, logprob: logprobOf }) => {
    const { runId, row, tokenIds, logprobs, entropies, deltas } = draft;
    const tokenId = choose(scores, draft.seen, draft.uniform);
    draft.uniform = draft.rng.next();
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
    const top = topLogprobs > 0 ? rankTokens(requireWhole(scores), topLogprobs, logprobOf) : [];
    return { kind: "token", row, tokenId, delta, logprob, entropy, top, residual };
  };
}

/**
 * The likeliest tokens, the first one first; among equals the lower id.
 * @param logits [V]
 */
export function rankTokens(
  logits: Float32Array,
  count: number,
  logprobOf: (tokenId: number) => number,
): RankedToken[] {
  const ranked: number[] = [];
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] as number;
    if (ranked.length === count && logit <= (logits[ranked[count - 1] as number] as number)) continue;
    let at = ranked.length;
    while (at > 0 && (logits[ranked[at - 1] as number] as number) < logit) at--;
    ranked.splice(at, 0, id);
    if (ranked.length > count) ranked.pop();
  }
  return ranked.map((tokenId) => ({ tokenId, logprob: logprobOf(tokenId) }));
}
