/**
 * Groups texts of similar length, so that little padding is computed: longest first, as many at a time as their
 * number times the longest of them allows.
 * @param lengths   [N] tokens of each text
 * @param maxTokens of a batch, padding included; a text that is longer is a batch of its own
 * @returns indices of the texts, every one once
 */
export function planBatches(lengths: readonly number[], maxTokens: number): number[][] {
  const order = lengths.map((_, index) => index).sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0));
  const batches: number[][] = [];
  let batch: number[] = [];
  for (const index of order) {
    const longest = lengths[batch[0] ?? index] ?? 0;
    if (batch.length > 0 && (batch.length + 1) * longest > maxTokens) {
      batches.push(batch);
      batch = [];
    }
    batch.push(index);
  }
  return batch.length === 0 ? batches : [...batches, batch];
}
