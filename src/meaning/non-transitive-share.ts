/**
 * Share of the triples of n items in which exactly two of the three pairs are the same, which no grouping can
 * do justice to.
 * @param same whether items i < j are the same
 * @returns in [0, 1]; 0 if there are fewer than three items
 */
export function nonTransitiveShare(n: number, same: (i: number, j: number) => boolean): number {
  let triples = 0;
  let broken = 0;
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++)
      for (let k = j + 1; k < n; k++) {
        triples += 1;
        if (Number(same(i, j)) + Number(same(j, k)) + Number(same(i, k)) === 2) broken += 1;
      }
  return triples === 0 ? 0 : broken / triples;
}
