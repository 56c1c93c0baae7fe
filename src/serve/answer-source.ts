import { countTokensOf } from "../engine/generate/answer-end.ts";
import { extendRows } from "../engine/generate/extend-rows.ts";
import { type EndEvent, generate, type SampledAnswer } from "../engine/generate/generate.ts";
import type { PrefilledPrompt } from "../engine/generate/prefill.ts";
import type { SamplerSettings } from "../engine/generate/sampler-settings.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { emptyKvBlock, type KvBlock } from "../engine/session/kv-block.ts";
import { SepError } from "../errors.ts";

/** An answer to a prompt, with what a probe may read of it. */
interface AnswerSource {
  readonly answer: Pick<SampledAnswer, "tokenIds" | "text" | "answerTokenCount" | "finishReason">;
  /** @param offset of a token of the answer; -1 is the prompt's last one */
  readState(offset: number): Promise<Float32Array>;
  /** Of the next-token distributions at the answer's tokens [start, end), nats. */
  readEntropies(span: readonly [number, number]): Promise<readonly number[]>;
  /** How the answer differs from one that the model would generate. */
  readonly warnings: readonly string[];
}

/** A prompt that has been processed, and what is needed to read an answer to it. */
export interface PromptRun {
  readonly model: LanguageModel;
  /** With the layers that the probe reads. */
  readonly prefilled: PrefilledPrompt;
  readonly sampler: SamplerSettings;
  readonly signal: AbortSignal | undefined;
}

/** Has the model answer; states and entropies are those of the very passes that generate. */
export async function generateAnswer(
  { model, prefilled, sampler, signal }: PromptRun,
  { seed, streamKey }: { readonly seed: number; readonly streamKey: string },
): Promise<AnswerSource> {
  /** Of the prompt's last token, then of the answer's. */
  const states: (Float32Array | null)[] = [];
  let end: EndEvent | null = null;
  const events = generate(model, prefilled, { runIds: [0], sampler, seed, streamKey, text: false, signal });
  for await (const event of events) {
    if (event.kind === "token") states.push(event.residual);
    else end = event;
  }
  const { answer, residual } = end as unknown as EndEvent;
  states.push(residual);
  return {
    answer,
    readState: async (offset) => states[offset + 1] as Float32Array,
    readEntropies: async (span) => answer.entropies.slice(...span),
    warnings: [],
  };
}

/** Logits of a vocabulary of 150,000 take 38 MB at so many tokens. */
const PREDICTED_AT_A_TIME = 64;

/**
 * Takes a text as the answer, whole and complete, as the model would have generated it: reasoning and tags included. It
 * is tokenised by itself, and followed by what ends an answer: the first stop string if the prompt's format has one,
 * else an end token, the likeliest after the text if there are several. A text that already has its end gets no
 * other. Nothing is generated; the text is read in one pass after the prompt's, as far as requested.
 * @param readsEnd whether the end itself will be read, so that it matters which one it is
 * @throws SepError `bad-option` for a text that continues after an end; `prompt-too-long`
 */
export async function takeAnswer(
  { model, prefilled, sampler, signal }: PromptRun,
  given: string,
  { readsEnd }: { readonly readsEnd: boolean },
): Promise<AnswerSource> {
  const { config, session, vocabulary } = model;
  const { layers } = prefilled;
  const extend = (
    tokens: readonly number[],
    suffix: KvBlock,
    places: { readonly predict?: readonly number[]; readonly trace?: readonly number[] },
  ): ReturnType<typeof extendRows> => {
    const at = (offsets: readonly number[] = []) => offsets.map((offset) => ({ row: 0, offset }));
    const { predict, trace } = places;
    return extendRows(session, [tokens], {
      prefix: prefilled.prefix,
      suffix,
      predict: at(predict),
      trace: at(trace),
      layers: trace === undefined ? [] : layers,
      signal,
    });
  };
  const start = emptyKvBlock(config, 1);
  const { text, tokenIds: own, end, answerTokenCount } = tokeniseAnswer(model, given, sampler);
  const ends = end ?? [...model.endTokenIds].slice(0, 1);
  requireRoom(prefilled.tokenIds.length, own.length + ends.length, config.maxPositions);
  const hasChoice = end === null && readsEnd && model.endTokenIds.size > 1;
  // read to its last token, where the end is predicted
  const whole =
    hasChoice && own.length > 0
      ? await extend(own, start, { predict: [own.length - 1] })
      : { ...prefilled, suffix: start };
  const tokenIds = [...own, ...(hasChoice ? [likeliest(whole.logits, model.endTokenIds)] : ends)];
  const entropyOf = async (logits: Float32Array, rows: number): Promise<Float32Array> =>
    (await vocabulary.measure(logits, rows, 1)).entropy;
  return {
    answer: { tokenIds, text, answerTokenCount, finishReason: "stop" },
    readState: async (offset) => {
      if (offset < 0) return prefilled.residual as Float32Array;
      const suffix = offset === own.length ? whole.suffix : start;
      const tokens = tokenIds.slice(suffix.lengths[0], offset + 1);
      const { residuals } = await extend(tokens, suffix, { trace: [tokens.length - 1] });
      return residuals[0] as Float32Array;
    },
    readEntropies: async ([begin, stop]) => {
      // token t is predicted from token t - 1, the first one from the prompt
      const entropies = [...(await entropyOf(prefilled.logits, 1))];
      let suffix = start;
      for (let from = 0; from < stop - 1; from += PREDICTED_AT_A_TIME) {
        const tokens = tokenIds.slice(from, Math.min(from + PREDICTED_AT_A_TIME, stop - 1));
        const step = await extend(tokens, suffix, { predict: [...tokens.keys()] });
        entropies.push(...(await entropyOf(step.logits, tokens.length)));
        suffix = step.suffix;
      }
      // rounding can give slightly less than zero if one token has all the probability
      return entropies.slice(begin, stop).map((entropy) => Math.max(0, entropy));
    },
    warnings: [
      "The answer was given, not generated: the guarantee covers only answers that this model samples.",
      ...(model.tokenizer.decode(tokenIds).startsWith(text) ? [] : [UNLIKE_ITSELF]),
    ],
  };
}

const UNLIKE_ITSELF =
  "The answer's tokens do not decode to its text: the tokenizer changes some of it, so the model would not generate it.";

/** @returns the tokens without those of the end, and those of an end that is certain */
function tokeniseAnswer(
  { tokenizer, endTokenIds }: LanguageModel,
  given: string,
  { stopStrings, stopTokenIds }: SamplerSettings,
): {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly end: readonly number[] | null;
  readonly answerTokenCount: number;
} {
  const encode = (text: string): number[] => tokenizer.encode(text, { specialTokens: false });
  const stop = stopStrings.find((each) => given.endsWith(each)) ?? "";
  const text = given.slice(0, given.length - stop.length);
  for (const each of stopStrings) if (text.includes(each)) throw refuse(each);
  const tokenIds = encode(text);
  const ended = tokenIds.findIndex((id) => endTokenIds.has(id) || stopTokenIds.includes(id));
  if (ended >= 0) {
    const last = tokenIds.slice(ended);
    if (last.length > 1 || stop !== "") throw refuse(tokenizer.decode(last.slice(0, 1)));
    const own = tokenIds.slice(0, -1);
    return { text: tokenizer.decode(own), tokenIds: own, end: last, answerTokenCount: own.length };
  }
  const ending = stop || stopStrings[0];
  if (ending === undefined) return { text, tokenIds, end: null, answerTokenCount: tokenIds.length };
  // together, since the end may share a token with the text
  const whole = encode(text + ending);
  const shared = whole.findIndex((id, i) => id !== tokenIds[i]);
  const cut = shared < 0 ? whole.length : shared;
  return {
    text,
    tokenIds: whole.slice(0, cut),
    end: whole.slice(cut),
    answerTokenCount: countTokensOf(whole, text, tokenizer.decode),
  };
}

const refuse = (end: string): SepError =>
  new SepError(
    "bad-option",
    `The answer continues after ${JSON.stringify(end)}, which ends an answer. Give only the part before it.`,
  );

function requireRoom(promptTokens: number, answerTokens: number, maxPositions: number): void {
  if (promptTokens + answerTokens <= maxPositions) return;
  throw new SepError(
    "prompt-too-long",
    `The prompt has ${promptTokens} tokens and the answer ${answerTokens}, but the model takes ${maxPositions} for both together. Shorten the question or the answer.`,
  );
}

/** @param logits [V] */
function likeliest(logits: Float32Array, candidates: ReadonlySet<number>): number {
  return [...candidates].reduce((best, id) =>
    (logits[id] as number) > (logits[best] as number) ? id : best,
  );
}
