import type { LanguageModel } from "../language-model.ts";
import { isUnitPosition, PLACES, type PositionIndices, placeAnswer, type TracePosition } from "../places.ts";
import type { Prompt } from "../tokenizer/build-prompt.ts";
import type { TextTokenizer } from "../tokenizer/text-tokenizer.ts";
import { endsInStopString, longestStop } from "./answer-end.ts";
import { generate, type SampleAnswersOptions, type SampledAnswer } from "./generate.ts";
import { findThinkTags, splitReasoning } from "./split-reasoning.ts";

/** What to read in the passes that sample. */
export interface StatesToRead {
  /** Residual layers, ascending; 0 is the embeddings. */
  readonly layers: readonly number[];
  readonly positions: readonly TracePosition[];
  readonly indices: PositionIndices;
}

/** The residual stream at one token of a prompt and the answer to it. */
export interface TokenState {
  /** In `[...prompt, ...answer]`. */
  readonly index: number;
  /** [layers * D] */
  readonly residual: Float32Array;
}

/** An answer with the states at its places, each token once; a place that the answer lacks has none. */
export interface AnswerWithStates extends SampledAnswer {
  readonly states: readonly TokenState[];
}

/**
 * Samples answers as `sampleAnswers` does, bit for bit, and reads the residual stream in the same passes; an answer's last
 * token takes one more, where it is of the text or a place may be there. A pass of many rows sums in another order than
 * `model.trace`, so that states differ from its own by float32's rounding. Of each answer in work only the states are kept that
 * a place may still fall on: of the prompt's last token, of the end of its reasoning, and of the last few tokens; with places
 * that have many tokens per answer, of every token up to {@link MOST_KEPT_BYTES}, after which a trace has to read the answer.
 * @returns one answer per run id, in that order
 * @throws SepError `prompt-too-long`; the signal's reason
 */
export async function sampleWithStates(
  model: LanguageModel,
  prompt: Pick<Prompt, "tokenIds" | "sharedTokens" | "opensReasoning">,
  { states: wanted, ...options }: SampleAnswersOptions & { readonly states: StatesToRead },
): Promise<AnswerWithStates[]> {
  const keepers = options.runIds.map(() =>
    createStateKeeper(model, prompt, options.sampler.stopStrings, wanted),
  );
  const states: (readonly TokenState[])[] = [];
  const { tokenIds, sharedTokens } = prompt;
  const endState = wanted.positions.some((position) => PLACES[position].mayBeEnd);
  const asked = { ...options, layers: wanted.layers, endState, text: false };
  const events = generate(model, { tokenIds, sharedTokens }, asked);
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value.map((answer, row) => ({ ...answer, states: states[row] ?? [] }));
    const event = next.value;
    const keeper = keepers[event.row] as StateKeeper;
    if (event.kind === "token") keeper.add(event.tokenId, event.residual as Float32Array);
    else states[event.row] = keeper.end(event.answer, event.residual);
  }
}

/** Keeps what may be at a place of an answer that is being sampled. */
interface StateKeeper {
  /** @param before [layers * D] at the token in front of this one */
  add(tokenId: number, before: Float32Array): void;
  /** @param last [layers * D] at the answer's last token; null where no place can be there */
  end(answer: SampledAnswer, last: Float32Array | null): readonly TokenState[];
}

/** What the states of one answer in work may take: 4,000 tokens of 31 layers of 576 numbers, or 500 of 29 of 4,096. */
const MOST_KEPT_BYTES = 256 * 2 ** 20;

/** How far in front of a stop string a place can be, by the way in which positions are counted. */
const IN_FRONT_OF_END: Readonly<Record<PositionIndices, number>> = { exact: 1, "oatml-compat": 3 };

function createStateKeeper(
  { tokenizer }: Pick<LanguageModel, "tokenizer">,
  prompt: Pick<Prompt, "tokenIds" | "opensReasoning">,
  stopStrings: readonly string[],
  { positions, indices }: StatesToRead,
): StateKeeper {
  const { tokenIds: promptIds, opensReasoning } = prompt;
  const { decode } = tokenizer;
  const tags = findThinkTags(tokenizer);
  const [openId, closeId] = [tokenizer.tokenId(tags.open), tokenizer.tokenId(tags.close)];
  const atEnd = 1 + longestStop(stopStrings) + IN_FRONT_OF_END[indices];
  const keepsAll = positions.some(isUnitPosition);
  const tokens: number[] = [];
  /** Of the answer's last tokens. */
  let tail: Float32Array[] = [];
  /** Of how many tokens of the answer the state is known. */
  let seen = 0;
  let promptEnd: Float32Array | null = null;
  let thinkEnd: { readonly offset: number; readonly residual: Float32Array } | null = null;
  /** Nothing that comes can move the end of the reasoning. */
  let isCertain = !positions.includes("think-end");

  /** Whether the answer's reasoning ends at its last token so far, as far as can be told without the rest. */
  const closesReasoning = (): boolean => {
    const closes =
      closeId === null
        ? endsInStopString(tokens, { stopStrings: [tags.close], decode })
        : tokens.at(-1) === closeId;
    // an end with nothing in front of it counts only if no reasoning is opened later
    const mayClose = thinkEnd === null || (openId !== null && tokens.includes(openId, thinkEnd.offset));
    if (!closes || !mayClose) return false;
    const generated = { text: decode(tokens), tokenIds: tokens, answerTokenCount: tokens.length };
    const { status, span } = splitReasoning(tokenizer, { ...generated, opensReasoning });
    const isEnd = status === "closed" && span?.[1] === tokens.length - 1;
    isCertain = status === "none" || (isEnd && (opensReasoning || decode(tokens.slice(0, -1)).trim() !== ""));
    return isEnd;
  };
  /** Takes the state at the last token so far. */
  const take = (residual: Float32Array): void => {
    if (tokens.length === 0) {
      promptEnd = residual;
      return;
    }
    seen = tokens.length;
    tail.push(residual);
    const isFull = !keepsAll || tail.length * residual.byteLength > MOST_KEPT_BYTES;
    if (isFull && tail.length > atEnd) tail = tail.slice(-atEnd);
    if (!isCertain && closesReasoning()) thinkEnd = { offset: tokens.length - 1, residual };
  };
  const find = (index: number): Float32Array | undefined => {
    const offset = index - promptIds.length;
    if (offset === -1) return promptEnd ?? undefined;
    if (offset === thinkEnd?.offset) return thinkEnd?.residual;
    return tail[offset - (seen - tail.length)];
  };
  return {
    add(tokenId, before) {
      take(before);
      tokens.push(tokenId);
    },
    end(answer, last) {
      if (last !== null) take(last);
      return locateStates(tokenizer, prompt, answer, { positions, indices }).flatMap((index) => {
        const residual = find(index);
        return residual === undefined ? [] : [{ index, residual }];
      });
    },
  };
}

/**
 * Where the states of an answer are wanted.
 * @returns indices in `[...prompt, ...answer]`, each once
 */
export function locateStates(
  tokenizer: TextTokenizer,
  prompt: Pick<Prompt, "tokenIds" | "opensReasoning">,
  answer: Pick<SampledAnswer, "text" | "tokenIds" | "answerTokenCount">,
  { positions, indices }: Pick<StatesToRead, "positions" | "indices">,
): readonly number[] {
  const wanted = positions.flatMap(placeAnswer(tokenizer, prompt, answer, indices).tokensAt);
  return [...new Set(wanted.map(({ index }) => index))];
}
