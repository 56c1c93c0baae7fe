import { DECODER_TENSORS as names } from "../graph/decoder-tensors.ts";
import { LOGIT_BLOCK } from "../graph/parts/vocabulary.ts";
import { readFloats, type Tensor, type Tensors } from "../runtime/runtime.ts";

/** How much of a prediction is read. */
export interface LogitReach {
  /** Logits that are at most so far below the highest one are read, and others beside them. */
  readonly window: number;
  /** Fewer are enough if they have this share of the probability at the drawing's temperature; 1 if they are not. */
  readonly share: number;
  /** All logits are read as well. */
  readonly whole: boolean;
}

/** How a next token is drawn, as far as the decoder's graph takes part in it. */
export interface Drawing extends LogitReach {
  /** 0 for greedy decoding. */
  readonly temperature: number;
}

/** The whole distribution of a next token, in three numbers. */
export interface TokenSums {
  /** The highest logit. */
  readonly highest: number;
  /** ln p of the most likely token, nats; so ln p(token) = logit - highest + this. */
  readonly highestLogprob: number;
  /** Entropy of the distribution, nats, in [0, ln V]. */
  readonly entropy: number;
}

/** The distribution of a next token at a temperature. */
export interface DrawnSums extends TokenSums {
  /** Sum of exp((logit - highest) / temperature), >= 1; at temperature 1 for greedy decoding. */
  readonly temperedMass: number;
  /** How far below the highest logit all are in `blocks`. */
  readonly window: number;
  /** The blocks of {@link LOGIT_BLOCK} token ids within the window, ascending. */
  readonly blocks: Int32Array;
  /** [blocks * LOGIT_BLOCK] their logits; very low ones beyond the vocabulary. */
  readonly blockLogits: Float32Array;
}

/** Of a pass: one for each token that predicts the next one. */
export function readVocabulary(outputs: Tensors, rows: number): DrawnSums[] {
  const read = (name: string): Float32Array => readFloats(outputs, name);
  const [highest, mass, weighted] = [read(names.highest), read(names.mass), read(names.weighted)];
  const [temperedMass, reached] = [read(names.temperedMass), read(names.reached)];
  const places = (outputs[names.likelyPlaces] as Tensor).data as Int32Array;
  const logits = read(names.likelyLogits);
  const count = places.length / 2;
  const blocks = places.subarray(count);
  let end = 0;
  return Array.from({ length: rows }, (_, row) => {
    const begin = end;
    while (end < count && places[end] === row) end++;
    const total = mass[row] as number;
    return {
      highest: highest[row] as number,
      highestLogprob: -Math.log(total),
      // -sum p ln p with p = weight / total, and ln weight = how far a logit is below the highest; rounding can give
      // slightly less than zero if one token has all the probability
      entropy: Math.max(0, Math.log(total) - (weighted[row] as number) / total),
      temperedMass: temperedMass[row] as number,
      window: reached[row] as number,
      blocks: blocks.subarray(begin, end),
      blockLogits: logits.subarray(begin * LOGIT_BLOCK, end * LOGIT_BLOCK),
    };
  });
}

/** Names of the outputs that {@link readVocabulary} reads. */
export const VOCABULARY_OUTPUTS = [
  names.highest,
  names.mass,
  names.weighted,
  names.temperedMass,
  names.reached,
  names.likelyPlaces,
  names.likelyLogits,
];
