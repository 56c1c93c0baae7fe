import { sum } from "../../math/vector.ts";
import { LOGIT_BLOCK } from "../session/vocabulary-session.ts";
import type { SamplerSettings } from "./sampler-settings.ts";

/** Settings that shape the distribution of one token. */
export type TokenFilters = Pick<
  SamplerSettings,
  "temperature" | "topP" | "topK" | "minP" | "repetitionPenalty"
>;

/**
 * Draws a token.
 * @param logits [V] raw, left as they are
 * @param seen token ids of prompt and answer so far, for the repetition penalty
 * @param uniform random number in [0, 1); not used when the temperature is 0
 * @param mass of the raw logits at this temperature where it is known; it is summed here where it is not
 * @returns a token id; at temperature 0 the most likely one, the lowest id among equals
 */
export type ChooseToken = (
  logits: Float32Array,
  seen: ReadonlySet<number>,
  uniform: number,
  mass?: VocabularyMass | null,
) => number;

/**
 * A function that draws next tokens. The order is that of Python transformers: repetition penalty, temperature, top-k
 * (ties with the k-th kept), top-p, min-p; each filter sees what the one before it left.
 * @see Holtzman et al. 2020 (top-p); Keskar et al. 2019, section 4.1 (repetition penalty); Nguyen et al. 2024 (min-p)
 */
export function createTokenChooser(filters: TokenFilters): ChooseToken {
  const room = makeRoom(0);
  return (logits, seen, uniform, mass = null) => {
    const scores = penalise(logits, filters.repetitionPenalty, seen);
    const known = scores === logits ? mass : null;
    if (filters.temperature === 0) return known === null ? argmax(scores) : highestToken(scores, known);
    const own = known ?? sumMass(scores, filters.temperature);
    const kept = keptTokens(scores, filters, own, room);
    return kept === null ? drawFromAll(scores, filters.temperature, uniform, own) : draw(kept, uniform);
  };
}

/** The weights of a whole vocabulary, summed. */
export interface VocabularyMass {
  /** The highest score. */
  readonly highest: number;
  /** Sum of exp((score - highest) / temperature), >= 1. */
  readonly total: number;
  /** The highest score of each {@link LOGIT_BLOCK}, so that only blocks with likely tokens are looked through. */
  readonly blockHighest: Float32Array;
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
  scores: Float32Array,
  { temperature, topK, topP, minP }: Omit<TokenFilters, "repetitionPenalty">,
  mass: VocabularyMass = sumMass(scores, temperature),
  room: SortingRoom = makeRoom(0),
): KeptTokens | null {
  if (topK === 0 && topP >= 1 && minP === 0) return null;
  const likely = likelyTokens(scores, { temperature, topK, topP, minP }, mass, room);
  const { weights } = likely;
  const afterTopK = topK > 0 && topK < weights.length ? countAtLeast(weights, weights[topK - 1]!) : null;
  const total = topK > 0 ? sum(weights.subarray(0, afterTopK ?? undefined)) : mass.total;
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
  scores: Float32Array,
  { temperature, topK, topP, minP }: Omit<TokenFilters, "repetitionPenalty">,
  { highest, total, blockHighest }: VocabularyMass,
  room: SortingRoom,
): KeptTokens {
  const needed = topP < 1 && topK === 0 ? topP * total : 0;
  for (let window = FIRST_WINDOW; ; window *= 2) {
    const lowest = highest - window * temperature;
    let count = 0;
    let weight = 0;
    for (let block = 0; block < blockHighest.length; block++) {
      if (blockHighest[block]! < lowest) continue;
      const end = Math.min((block + 1) * LOGIT_BLOCK, scores.length);
      for (let id = block * LOGIT_BLOCK; id < end; id++) {
        const score = scores[id] as number;
        if (score < lowest) continue;
        count += 1;
        weight += Math.exp((score - highest) / temperature);
      }
    }
    const everything = count === scores.length || window > WIDEST_WINDOW;
    const enough = count >= topK && weight >= needed && (topK > 0 || topP < 1 || Math.exp(-window) < minP);
    if (!everything && !enough) continue;
    const ids = sortDescending(scores, blockHighest, { lowest, count }, room);
    const weights = room.weights.subarray(0, count);
    for (let i = 0; i < count; i++) weights[i] = Math.exp((scores[ids[i]!]! - highest) / temperature);
    return { ids, weights };
  }
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
}

const makeRoom = (size: number): SortingRoom => ({
  keys: new Float64Array(size),
  ids: new Uint32Array(size),
  weights: new Float64Array(size),
});

/**
 * Ids of the `count` scores from `lowest` up, highest first, equals by id. A score's 32 bits, turned so that they
 * ascend where it descends, and its id in the bits below are one exact double: typed arrays sort those natively,
 * where a nucleus of a hundred thousand tokens would take a comparison function longer than the forward pass.
 */
function sortDescending(
  scores: Float32Array,
  blockHighest: Float32Array,
  { lowest, count }: { readonly lowest: number; readonly count: number },
  room: SortingRoom,
): Uint32Array {
  const bitsOf = new Uint32Array(scores.buffer, scores.byteOffset, scores.length);
  if (room.keys.length < count) Object.assign(room, makeRoom(scores.length));
  const keys = room.keys.subarray(0, count);
  let filled = 0;
  for (let block = 0; block < blockHighest.length; block++) {
    if (blockHighest[block]! < lowest) continue;
    const end = Math.min((block + 1) * LOGIT_BLOCK, scores.length);
    for (let id = block * LOGIT_BLOCK; id < end; id++) {
      const score = scores[id] as number;
      if (score < lowest) continue;
      const bits = score === 0 ? 0 : (bitsOf[id] as number); // -0 is no lower than 0
      const descending = bits > SIGN ? bits : SIGN - 1 - bits;
      keys[filled++] = descending * ID_RANGE + id;
    }
  }
  keys.sort();
  const ids = room.ids.subarray(0, count);
  for (let i = 0; i < count; i++) ids[i] = keys[i]! % ID_RANGE;
  return ids;
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

function draw({ ids, weights }: KeptTokens, uniform: number): number {
  let rest = uniform * sum(weights);
  for (let i = 0; i < ids.length; i++) {
    rest -= weights[i] as number;
    if (rest < 0) return ids[i] as number;
  }
  return ids[ids.length - 1] as number; // the rounding of the sum left a rest of about 1e-16
}

function drawFromAll(
  scores: Float32Array,
  temperature: number,
  uniform: number,
  { highest, total }: VocabularyMass,
): number {
  let rest = uniform * total;
  for (let id = 0; id < scores.length; id++) {
    rest -= Math.exp(((scores[id] as number) - highest) / temperature);
    if (rest < 0) return id;
  }
  return argmax(scores); // the rounding of the sum left a rest
}

function sumMass(scores: Float32Array, temperature: number): VocabularyMass {
  const highest = scores[argmax(scores)] as number;
  const blockHighest = new Float32Array(Math.ceil(scores.length / LOGIT_BLOCK)).fill(-Infinity);
  let total = 0;
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id] as number;
    total += Math.exp((score - highest) / temperature);
    const block = Math.floor(id / LOGIT_BLOCK);
    if (score > blockHighest[block]!) blockHighest[block] = score;
  }
  return { highest, total, blockHighest };
}

function argmax(scores: Float32Array): number {
  let best = 0;
  for (let id = 1; id < scores.length; id++) if ((scores[id] as number) > (scores[best] as number)) best = id;
  return best;
}

/** The first token of the highest score, which is in the first block that has it. */
function highestToken(scores: Float32Array, { highest, blockHighest }: VocabularyMass): number {
  return scores.indexOf(highest, blockHighest.indexOf(highest) * LOGIT_BLOCK);
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
