import { normalizedLaplacian, symmetricEigen } from "../math/symmetric-eigen.ts";

/**
 * Greedy clusters: each item is compared with the first member of every existing cluster, joins the first that matches,
 * or founds its own. If the relation is not transitive, the clusters depend on the order.
 * @param order the items 0 .. n-1 in their order of arrival
 * @param same  whether two items are the same; symmetric
 * @returns [n] the founder of each item's cluster
 * @see Kuhn et al. 2023, algorithm 1
 */
export function clusterGreedily(
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

/**
 * Connected components: items are in the same cluster if a chain of matching pairs leads from one to the other,
 * whatever the order. One wrong pair joins two clusters.
 * @param same whether items i < j are the same
 * @returns [n] the lowest item of each item's cluster
 */
export function clusterByComponents(n: number, same: (i: number, j: number) => boolean): readonly number[] {
  const rootOf = Array.from({ length: n }, (_, i) => i);
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) {
      if (!same(i, j)) continue;
      const [low, high] = [Math.min(rootOf[i]!, rootOf[j]!), Math.max(rootOf[i]!, rootOf[j]!)];
      for (let k = 0; k < n; k++) if (rootOf[k] === high) rootOf[k] = low;
    }
  return rootOf;
}

/**
 * Spectral clusters: the similarities of the items, not only whether they are the same, decide how many clusters there are
 * (the largest gap between eigenvalues of the graph's normalised Laplacian) and which items are in them (the eigenvectors below
 * the gap, rotated to be as axis-parallel as possible). No start value, order or random number matters. Two items alone are one
 * cluster if their similarity is more than a third.
 * @param affinity [n][n] symmetric, in [0, 1], 1 on the diagonal
 * @returns [n] cluster of each item, from 0
 * @see von Luxburg 2007, "A tutorial on spectral clustering"; Damle, Minden and Ying 2019, "Simple, direct and
 * efficient multi-way spectral clustering"
 */
export function clusterSpectrally(affinity: readonly (readonly number[])[]): readonly number[] {
  const n = affinity.length;
  if (n === 0) return [];
  const { values, vectors } = symmetricEigen(normalizedLaplacian(affinity));
  const k = countClusters(values);
  if (k === n) return [...affinity.keys()];
  return assign(affinity.map((_, i) => vectors.slice(0, k).map((vector) => vector[i]!)));
}

/**
 * The number of eigenvalues below the widest gap. 1, the eigenvalue of unrelated items, is appended, so that n clusters are
 * possible.
 * @param values [n] ascending
 */
function countClusters(values: readonly number[]): number {
  const ends = [...values.slice(1), Math.max(1, values.at(-1)!)];
  const gaps = ends.map((end, i) => end - values[i]!);
  const widest = Math.max(...gaps);
  return 1 + gaps.findIndex((gap) => gap >= widest - TIE);
}

/** Gaps that differ only by rounding are equal; then fewer clusters win. */
const TIE = 1e-9;

/** @param rows [n][k] orthonormal columns @returns [n] the axis that each row lies along after the best rotation */
function assign(rows: readonly (readonly number[])[]): number[] {
  const axes = polarFactor(choosePivots(rows).map((pivot) => rows[pivot]!));
  return rows.map((row) => {
    const along = axes.map((axis) => Math.abs(inner(row, axis)));
    const longest = Math.max(...along);
    return along.findIndex((length) => length >= longest - TIE);
  });
}

/** k rows that span the space as well as they can: QR with column pivoting. */
function choosePivots(rows: readonly (readonly number[])[]): number[] {
  const rest = rows.map((row) => [...row]);
  const pivots: number[] = [];
  for (let step = 0; step < rows[0]!.length; step++) {
    const lengths = rest.map((row) => inner(row, row));
    const longest = Math.max(...lengths);
    const pivot = lengths.findIndex((length) => length >= longest - TIE);
    pivots.push(pivot);
    const direction = rest[pivot]!.map((value) => value / Math.sqrt(lengths[pivot]!));
    for (const row of rest) {
      const along = inner(row, direction);
      for (const [c, value] of direction.entries()) row[c] = row[c]! - along * value;
    }
  }
  return pivots;
}

/**
 * The nearest orthonormal set of vectors: (P P^T)^(-1/2) P.
 * @param P [k][k] linearly independent rows
 */
function polarFactor(P: readonly (readonly number[])[]): number[][] {
  const { values, vectors } = symmetricEigen(P.map((a) => P.map((b) => inner(a, b))));
  return P.map((_, i) =>
    P.map((_row, column) => {
      let sum = 0;
      for (const [e, vector] of vectors.entries())
        for (const [j, row] of P.entries())
          sum += (vector[i]! * vector[j]! * row[column]!) / Math.sqrt(values[e]!);
      return sum;
    }),
  );
}

const inner = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);
