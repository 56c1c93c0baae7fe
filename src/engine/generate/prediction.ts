import type { VocabularySession } from "../session/vocabulary-session.ts";
import type { VocabularyMass } from "./choose-token.ts";

/** What the model predicts after one token of a row. */
export interface Prediction {
  /** [V] */
  readonly logits: Float32Array;
  /** [layers * D] of that token; null without layers. */
  readonly residual: Float32Array | null;
  /** At the job's temperature; at 1 for greedy decoding. */
  readonly mass: VocabularyMass;
  /** Nats, at temperature 1. */
  readonly entropy: number;
  /** ln p of a token, nats, at temperature 1. */
  logprob(tokenId: number): number;
}

/** A row whose next token is predicted. */
interface PredictingRow extends Pick<Prediction, "residual"> {
  /** 0 for greedy decoding. */
  readonly temperature: number;
}

/**
 * The predictions of the rows of a pass.
 * @param logits [rows, V]
 */
export async function readPredictions(
  vocabulary: VocabularySession,
  logits: Float32Array,
  rows: readonly PredictingRow[],
): Promise<Prediction[]> {
  if (rows.length === 0) return [];
  const size = logits.length / rows.length;
  const temperatures = rows.map(({ temperature }) => temperature || 1);
  const measures = await vocabulary.measure(logits, rows.length, temperatures);
  const blocks = measures.blockHighest.length / rows.length;
  return rows.map(({ residual }, row) => {
    const own = logits.subarray(row * size, (row + 1) * size);
    const highest = measures.highest[row] as number;
    const highestLogprob = measures.highestLogprob[row] as number;
    const total = measures.temperedMass[row] as number;
    const blockHighest = measures.blockHighest.subarray(row * blocks, (row + 1) * blocks);
    return {
      logits: own,
      residual,
      mass: { highest, total, blockHighest },
      // rounding can give slightly less than zero if one token has all the probability
      entropy: Math.max(0, measures.entropy[row] as number),
      logprob: (tokenId) => Math.min(0, (own[tokenId] as number) - highest + highestLogprob),
    };
  });
}
