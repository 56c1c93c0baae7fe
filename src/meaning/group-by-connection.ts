/**
 * Connected components: items are in one group if a chain of pairs that are the same leads from one to the other,
 * whatever the order. One wrong pair joins two groups.
 * @param same whether items i < j are the same
 * @returns [n] the lowest item of each item's group
 */
export function groupByConnection(n: number, same: (i: number, j: number) => boolean): readonly number[] {
  const rootOf = Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) {
      if (!same(i, j)) continue;
      const [low, high] = [Math.min(rootOf[i]!, rootOf[j]!), Math.max(rootOf[i]!, rootOf[j]!)];
      for (let k = 0; k < n; k++) if (rootOf[k] === high) rootOf[k] = low;
    }
  return rootOf;
}
