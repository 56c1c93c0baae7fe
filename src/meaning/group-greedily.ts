/**
 * Greedy groups: each item is held against the first member of every group there is, joins the first that matches,
 * or founds its own. Where the relation is not transitive, the groups depend on the order.
 * @param order the items 0 .. n-1 in the order in which they come
 * @param same  whether two items are the same; symmetric
 * @returns [n] the founder of each item's group
 * @see Kuhn et al. 2023, algorithm 1
 */
export function groupGreedily(
  order: readonly number[],
  same: (i: number, j: number) => boolean,
): readonly number[] {
  const founders: number[] = [];
  const founderOf: number[] = new Array<number>(order.length);
  for (const item of order) {
    const founder = founders.find((each) => same(each, item)) ?? item;
    if (founder === item) founders.push(item);
    founderOf[item] = founder;
  }
  return founderOf;
}
