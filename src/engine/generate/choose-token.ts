import { sum } from "../../math/vector.ts";
import { LOGIT_BLOCK } from "../graph/parts/vocabulary.ts";
import type { LogitReach } from "../session/vocabulary.ts";
import type { SamplerSettings } from "./sampler-settings.ts";

/** Settings that shape the distribution of one token. */
export type TokenFilters = Pick<
  SamplerSettings,
  "temperature" | "topP" | "topK" | "minP" | "repetitionPenalty"
>;

/** The scores of a next token, as far as drawing it needs them. */
export interface TokenScores {
  /** The highest score. */
  readonly highest: number;
  /** Sum of exp((score - highest) / temperature) over the vocabulary, >= 1. */
  readonly total: number;
  /** How far below the highest score all scores are in `blocks`. */
  readonly window: number;
  /** Blocks of {@link LOGIT_BLOCK} token ids, ascending. */
  readonly blocks: Int32Array;
  /** [blocks * LOGIT_BLOCK] */
  readonly blockLogits: Float32Array;
  /** [V] all scores; null where only likely ones were read. */
  readonly whole: Float32Array | null;
}

/**
 * Draws a token.
 * @param seen token ids of prompt and answer so far, for the repetition penalty
 * @param uniform random number in [0, 1); not used when the temperature is 0
 * @returns a token id; at temperature 0 the most likely one, the lowest id among equals
 */
export type ChooseToken = (scores: TokenScores, seen: ReadonlySet<number>, uniform: number) => number;

/**
 * A function that draws next tokens. The order is that of Python transformers: repetition penalty, temperature, top-k
 * (ties with the k-th kept), top-p, min-p; each filter sees what the one before it left.
 * @see Holtzman et al. 2020 (top-p); Keskar et al. 2019, section 4.1 (repetition penalty); Nguyen et al. 2024 (min-p)
 */
export function createTokenChooser(filters: TokenFilters): ChooseToken {
  const { temperature, repetitionPenalty } = filters;
  const room = makeRoom(0);
  return (given, seen, uniform) => {
    const scores =
      repetitionPenalty === 1
        ? given
        : sumScores(penalise(requireWhole(given), repetitionPenalty, seen), temperature || 1);
    if (temperature === 0) return highestToken(scores);
    const kept = keptTokens(scores, filters, room);
    if (kept !== null) return draw(kept, uniform * sum(kept.weights));
    // the most likely ones come first, as among kept ones
    const likely = likelyTokens(scores, { temperature, topP: uniform, topK: 0, minP: 0 }, room);
    return draw(likely, uniform * scores.total);
  };
}

/**
 * The logits that a token is drawn from with these filters. Tokens are drawn the most likely first, so it takes as many as have
 * a share of the probability: top-p's, or without filters the random number's. Outside of a window, V tokens have weights of
 * at most e^-(window / temperature) each, and the most likely one has 1, so it follows from that share and from min-p how far they
 * can reach at most.
 * @param uniform the random number that the token will be drawn with
 */
export function reachOf(
  { temperature, topP, topK, minP, repetitionPenalty }: TokenFilters,
  vocabularySize: number,
  uniform: number,
): LogitReach {
  if (repetitionPenalty !== 1) return { window: 0, share: 0, whole: true };
  if (temperature === 0) return { window: 0, share: 0, whole: false };
  if (topK > 0) return { window: FIRST_WINDOW * temperature, share: 1, whole: true };
  const share = topP < 1 ? topP : minP > 0 ? 1 : uniform;
  const nats = share === 1 ? -Math.log(minP) : Math.log(vocabularySize / (1 - share));
  const window = Math.min(nats, WIDEST_WINDOW) * temperature * (1 + ROUNDING) + ROUNDING;
  return { window, share: Math.min(1, share + ROUNDING), whole: false };
}

/** More than what float32 loses of a window or a share. */
const ROUNDING = 1e-3;

/** A token's score. It is among those that were read if it may be drawn. */
export function scoreOf({ whole, blocks, blockLogits }: TokenScores, tokenId: number): number {
  if (whole !== null) return whole[tokenId] as number;
  const block = blocks.indexOf(Math.floor(tokenId / LOGIT_BLOCK));
  return blockLogits[block * LOGIT_BLOCK + (tokenId % LOGIT_BLOCK)] as number;
}

/** Tokens that the filters kept, most likely first (equals by id); valid until their room is used again. */
export interface KeptTokens {
  /** [N] */
  readonly ids: Uint32Array;
  /** [N] exp((score - highest score) / temperature), in [0, 1] */
  readonly weights: Float64Array;
}

/**
 * The tokens that top-k, top-p and min-p keep, at least one.
 * @returns null when no filter is on
 */
export function keptTokens(
  scores: TokenScores,
  { temperature, topK, topP, minP }: Omit<TokenFilters, "repetitionPenalty">,
  room: SortingRoom = makeRoom(0),
): KeptTokens | null {
  if (topK === 0 && topP >= 1 && minP === 0) return null;
  const likely = likelyTokens(scores, { temperature, topK, topP, minP }, room);
  const { weights } = likely;
  const afterTopK = topK > 0 && topK < weights.length ? countAtLeast(weights, weights[topK - 1]!) : null;
  const total = topK > 0 ? sum(weights.subarray(0, afterTopK ?? undefined)) : scores.total;
  const afterTopP =
    topP < 1 ? countNucleus(weights.subarray(0, afterTopK ?? undefined), topP * total) : afterTopK;
  const count = Math.min(afterTopP ?? weights.length, minP > 0 ? countAtLeast(weights, minP) : Infinity);
  return { ids: likely.ids.subarray(0, count), weights: weights.subarray(0, count) };
}

/**
 * The most likely tokens, sorted: enough of them for the filters. Sorting a whole vocabulary costs more than a
 * forward pass of a small model, so a window below the highest score is widened until it holds what is needed.
 */
function likelyTokens(
  scores: TokenScores,
  { temperature, topK, topP, minP }: Omit<TokenFilters, "repetitionPenalty">,
  room: SortingRoom,
): KeptTokens {
  const { highest, total, whole } = scores;
  const needed = topP < 1 && topK === 0 ? topP * total : 0;
  for (let window = FIRST_WINDOW; ; window *= 2) {
    const isWidest = window > WIDEST_WINDOW || (whole === null && window * temperature >= scores.window);
    const lowest = highest - window * temperature;
    let count = 0;
    let weight = 0;
    const parts = scoresDownTo(scores, lowest);
    for (const { values } of parts)
      for (let i = 0; i < values.length; i++) {
        const score = values[i] as number;
        if (score < lowest) continue;
        count += 1;
        weight += Math.exp((score - highest) / temperature);
      }
    const everything = isWidest || count === whole?.length;
    const enough = count >= topK && weight >= needed && (topK > 0 || topP < 1 || Math.exp(-window) < minP);
    if (!everything && !enough) continue;
    return sortDescending(parts, { highest, lowest, temperature, count }, room);
  }
}

/** Scores of neighbouring tokens. */
interface ScoredPart {
  readonly firstId: number;
  readonly values: Float32Array;
}

/** All scores from `lowest` up as far as they are known, and others beside them. */
function scoresDownTo(
  { highest, window, blocks, blockLogits, whole }: TokenScores,
  lowest: number,
): readonly ScoredPart[] {
  if (whole !== null && highest - lowest > window) return [{ firstId: 0, values: whole }];
  return Array.from(blocks, (block, at) => ({
    firstId: block * LOGIT_BLOCK,
    values: blockLogits.subarray(at * LOGIT_BLOCK, (at + 1) * LOGIT_BLOCK),
  }));
}

/** In units of the temperature: e^-8 = 3e-4 of the highest weight usually holds a nucleus of 0.9 or more. */
const FIRST_WINDOW = 8;
/** e^-800 is 0 in double precision: nothing below can be drawn. */
const WIDEST_WINDOW = 800;

/** Room for one vocabulary, kept from draw to draw: a nucleus of 100,000 tokens would leave 3 MB of garbage per draw. */
interface SortingRoom {
  keys: Float64Array;
  ids: Uint32Array;
  weights: Float64Array;
  /** One score, and its bits. */
  score: Float32Array;
  bits: Uint32Array;
}

function makeRoom(size: number): SortingRoom {
  const score = new Float32Array(1);
  const bits = new Uint32Array(score.buffer);
  return {
    keys: new Float64Array(size),
    ids: new Uint32Array(size),
    weights: new Float64Array(size),
    score,
    bits,
  };
}

/**
 * The `count` tokens with scores from `lowest` up, highest first, equals by id. A score's 32 bits, turned so that they
 * ascend where it descends, and its id in the bits below are one exact double: typed arrays sort those natively,
 * where a nucleus of a hundred thousand tokens would take a comparison function longer than the forward pass.
 */
function sortDescending(
  parts: readonly ScoredPart[],
  {
    highest,
    lowest,
    temperature,
    count,
  }: Pick<TokenScores, "highest"> &
    Pick<TokenFilters, "temperature"> & { readonly lowest: number; readonly count: number },
  room: SortingRoom,
): KeptTokens {
  if (room.keys.length < count) Object.assign(room, makeRoom(2 * count));
  const keys = room.keys.subarray(0, count);
  let filled = 0;
  for (const { firstId, values } of parts) {
    const bitsOf = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (let i = 0; i < values.length; i++) {
      const score = values[i] as number;
      if (score < lowest) continue;
      const bits = score === 0 ? 0 : (bitsOf[i] as number); // -0 is no lower than 0
      const descending = bits > SIGN ? bits : SIGN - 1 - bits;
      keys[filled++] = descending * ID_RANGE + firstId + i;
    }
  }
  keys.sort();
  const [ids, weights] = [room.ids.subarray(0, count), room.weights.subarray(0, count)];
  for (let i = 0; i < count; i++) {
    const key = keys[i] as number;
    const descending = Math.floor(key / ID_RANGE);
    ids[i] = key % ID_RANGE;
    room.bits[0] = descending > SIGN ? descending : SIGN - 1 - descending;
    weights[i] = Math.exp(((room.score[0] as number) - highest) / temperature);
  }
  return { ids, weights };
}

/** The sign's bit of a float32; the patterns of negative numbers grow as these fall, and lie above it. */
const SIGN = 2 ** 31;
/** Of token ids; 32 bits and these 21 are what a double holds. */
const ID_RANGE = 2 ** 21;

/** How many of descending weights reach `least`. */
function countAtLeast(weights: Float64Array, least: number): number {
  const count = weights.findIndex((weight) => weight < least);
  return count === -1 ? weights.length : count;
}

/** The fewest of descending weights that sum up to `mass`; all of them if they do not. */
function countNucleus(weights: Float64Array, mass: number): number {
  let reached = 0;
  for (let count = 0; count < weights.length; count++) {
    reached += weights[count] as number;
    if (reached >= mass) return count + 1;
  }
  return weights.length;
}

/** @param mass in front of which the token lies, of the weights in their order */
function draw({ ids, weights }: KeptTokens, mass: number): number {
  let rest = mass;
  for (let i = 0; i < ids.length; i++) {
    rest -= weights[i] as number;
    if (rest < 0) return ids[i] as number;
  }
  return ids[ids.length - 1] as number; // the rounding of the sum left a rest of about 1e-16
}

/** @throws RangeError where only likely scores were read */
export function requireWhole({ whole }: TokenScores): Float32Array {
  if (whole === null) throw new RangeError("not all logits were read: see reachOf");
  return whole;
}

/** All scores, summed here. @param whole [V] */
export function sumScores(whole: Float32Array, temperature: number): TokenScores {
  const highest = whole[argmax(whole)] as number;
  let total = 0;
  for (let id = 0; id < whole.length; id++)
    total += Math.exp(((whole[id] as number) - highest) / temperature);
  return { highest, total, ...NO_BLOCKS, whole };
}

/** Not even the highest score is in one. */
const NO_BLOCKS = { window: -1, blocks: new Int32Array(0), blockLogits: new Float32Array(0) };

function argmax(scores: Float32Array): number {
  let best = 0;
  for (let id = 1; id < scores.length; id++) if ((scores[id] as number) > (scores[best] as number)) best = id;
  return best;
}

/** The first token of the highest score. */
function highestToken({ highest, blocks, blockLogits, whole }: TokenScores): number {
  if (whole !== null) return whole.indexOf(highest);
  const at = blockLogits.indexOf(highest);
  return (blocks[Math.floor(at / LOGIT_BLOCK)] as number) * LOGIT_BLOCK + (at % LOGIT_BLOCK);
}

function penalise(logits: Float32Array, penalty: number, seen: ReadonlySet<number>): Float32Array {
  if (penalty === 1) return logits;
  const scores = Float32Array.from(logits);
  for (const id of seen) {
    const score = scores[id];
    if (score !== undefined) scores[id] = score < 0 ? score * penalty : score / penalty;
  }
  return scores;
}
