import { mean } from "../math/vector.ts";

/**
 * Mean entropy of the next-token distribution: over each sample's tokens, then over the samples, so that a long
 * sample counts no more than a short one.
 * @param tokenEntropies [K][T_i] nats
 * @returns nats, from 0
 * @throws RangeError if K = 0 or a sample has no tokens
 */
export function meanTokenEntropy(tokenEntropies: readonly (readonly number[])[]): number {
  if (tokenEntropies.length === 0) throw new RangeError("no samples");
  if (tokenEntropies.some((entropies) => entropies.length === 0))
    throw new RangeError("a sample without tokens");
  return mean(tokenEntropies.map(mean));
}
