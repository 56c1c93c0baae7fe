import type { DrawnSums, TokenSums } from "../session/vocabulary.ts";
import { scoreOf, sumScores, type TokenScores } from "./choose-token.ts";
import type { PrefilledPrompt } from "./prefill.ts";

/** What the model predicts after one token of a row. */
export interface Prediction {
  /** At the job's temperature; at 1 for greedy decoding. */
  readonly scores: TokenScores;
  /** [layers * D] of that token; null without layers. */
  readonly residual: Float32Array | null;
  /** Nats, at temperature 1. */
  readonly entropy: number;
  /** ln p of a token, nats, at temperature 1; of any token that may be drawn. */
  logprob(tokenId: number): number;
}

/**
 * The prediction after a row's latest token.
 * @param whole [V] all logits; null where only likely ones were read
 */
export function predictNext(
  sums: DrawnSums,
  { whole, residual }: Pick<TokenScores, "whole"> & Pick<Prediction, "residual">,
): Prediction {
  const { highest, temperedMass: total, window, blocks, blockLogits } = sums;
  return makePrediction({ highest, total, window, blocks, blockLogits, whole }, sums, residual);
}

/** The prediction after a prompt, which may be asked for at any temperature. */
export const predictFirst = ({ logits, sums, residual }: PrefilledPrompt, temperature: number): Prediction =>
  makePrediction(sumScores(logits, temperature || 1), sums, residual);

function makePrediction(scores: TokenScores, sums: TokenSums, residual: Prediction["residual"]): Prediction {
  const { entropy } = sums;
  return { scores, residual, entropy, logprob: (tokenId) => logprobOf(scoreOf(scores, tokenId), sums) };
}

/** ln p of a token by its logit, nats. */
export const logprobOf = (logit: number, { highest, highestLogprob }: TokenSums): number =>
  Math.min(0, logit - highest + highestLogprob);
