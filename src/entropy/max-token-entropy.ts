import { mean } from "../math/vector.ts";

/**
 * Entropy of each sample's most uncertain token, averaged over the samples.
 * @param tokenEntropies [K][T_i] nats
 * @returns nats, from 0
 * @throws RangeError if K = 0 or a sample has no tokens
 * @see Manakul et al. 2023, "Max(H)"
 */
export function maxTokenEntropy(tokenEntropies: readonly (readonly number[])[]): number {
  if (tokenEntropies.length === 0) throw new RangeError("no samples");
  const largest = tokenEntropies.map((entropies) => {
    if (entropies.length === 0) throw new RangeError("a sample without tokens");
    return entropies.reduce((most, value) => Math.max(most, value));
  });
  return mean(largest);
}
