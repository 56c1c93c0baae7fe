import { entropy } from "../math/entropy.ts";
import { createRng, shuffle } from "../math/rng.ts";
import { clusterGreedily } from "./clustering-algorithms.ts";

/** What the order of a question's samples does to its greedy clusters. */
export interface OrderSensitivity {
  /** Orders of the different answers that were tried. */
  readonly orders: number;
  /** Whether those were all. */
  readonly exhaustive: boolean;
  /** Of the discrete semantic entropy over those orders, nats. */
  readonly minEntropy: number;
  readonly maxEntropy: number;
  readonly minClusters: number;
  readonly maxClusters: number;
}

interface SampleCounts {
  /** [N] samples of each different answer. */
  readonly samplesOf: readonly number[];
  /** Samples without an answer, which are a cluster of their own. */
  readonly unanswered: number;
}

/**
 * Groups the same answers in every order, or in many random orders where there are too many, and reports the range of
 * cluster count and discrete semantic entropy.
 * @param same whether answers i and j are the same; symmetric
 * @param seedKey what the random orders are drawn from, so that they are the same each time
 */
export function measureOrderSensitivity(
  { samplesOf, unanswered }: SampleCounts,
  same: (i: number, j: number) => boolean,
  seedKey: string,
): OrderSensitivity {
  const n = samplesOf.length;
  const exhaustive = n <= MAX_FOR_ALL_ORDERS;
  const entropies: number[] = [];
  const counts: number[] = [];
  for (const order of exhaustive ? allOrders(n) : randomOrders(n, seedKey)) {
    const sizes = new Map<number, number>();
    for (const [item, founder] of clusterGreedily(order, same).entries())
      sizes.set(founder, (sizes.get(founder) ?? 0) + samplesOf[item]!);
    const all = unanswered > 0 ? [...sizes.values(), unanswered] : [...sizes.values()];
    const total = all.reduce((sum, size) => sum + size, 0);
    // sorted, so that the same sizes in another order do not differ by rounding
    entropies.push(entropy(all.sort((a, b) => a - b).map((size) => size / total)));
    counts.push(all.length);
  }
  return {
    orders: entropies.length,
    exhaustive,
    minEntropy: Math.min(...entropies),
    maxEntropy: Math.max(...entropies),
    minClusters: Math.min(...counts),
    maxClusters: Math.max(...counts),
  };
}

/** 720 orders. */
const MAX_FOR_ALL_ORDERS = 6;
const RANDOM_ORDERS = 200;

function* randomOrders(n: number, seedKey: string): Generator<readonly number[]> {
  const rng = createRng("order-sensitivity", seedKey);
  let order: readonly number[] = Array.from({ length: n }, (_, i) => i);
  for (let draw = 0; draw < RANDOM_ORDERS; draw++) {
    yield order; // the samples' own order first
    order = shuffle(order, rng);
  }
}

function* allOrders(n: number, chosen: readonly number[] = []): Generator<readonly number[]> {
  if (chosen.length === n) yield chosen;
  for (let next = 0; next < n; next++) if (!chosen.includes(next)) yield* allOrders(n, [...chosen, next]);
}
