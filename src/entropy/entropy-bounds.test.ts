import { describe, expect, test } from "vitest";
import { decideEntropy, entropyBounds, samplesUntilDecidable } from "./entropy-bounds.ts";
import { discreteSemanticEntropy } from "./semantic-entropy.ts";

/** A few float64 operations on numbers of order 1. */
const ROUNDING = 1e-12;
const K = 8;

/** Every way to put n samples into clusters, as cluster ids in order of first appearance: set partitions. */
function* clusterings(n: number, ids: readonly number[] = []): Generator<readonly number[]> {
  if (ids.length === n) {
    yield ids;
    return;
  }
  const next = Math.max(-1, ...ids) + 1;
  for (let id = 0; id <= next; id++) yield* clusterings(n, [...ids, id]);
}

const sizesOf = (ids: readonly number[]): number[] => {
  const sizes: number[] = [];
  for (const id of ids) sizes[id] = (sizes[id] ?? 0) + 1;
  return sizes;
};

/** Sizes after the first n samples -> every entropy that all K can have from there, by trying all. */
const reachable = new Map<string, { readonly sizes: readonly number[]; readonly entropies: Set<number> }>();
for (const ids of clusterings(K)) {
  const entropy = discreteSemanticEntropy(ids);
  for (let n = 0; n <= K; n++) {
    const sizes = sizesOf(ids.slice(0, n));
    const key = sizes.join();
    const known = reachable.get(key) ?? { sizes, entropies: new Set<number>() };
    known.entropies.add(entropy);
    reachable.set(key, known);
  }
}
const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);
const THRESHOLDS = [0, 0.1, 0.4, Math.LN2, 0.9, 1.2, 1.6, 1.9, Math.log(K)];

test("4140 clusterings of eight samples were tried", () => {
  expect([...clusterings(K)].length).toBe(4140); // Bell's number
});

test("the bounds are reached, and nothing is beyond them", () => {
  for (const { sizes, entropies } of reachable.values()) {
    const { min, max } = entropyBounds(sizes, K);
    expect(Math.abs(min - Math.min(...entropies)), `least of ${sizes}`).toBeLessThanOrEqual(ROUNDING);
    expect(Math.abs(max - Math.max(...entropies)), `greatest of ${sizes}`).toBeLessThanOrEqual(ROUNDING);
  }
});

test("a decision holds for every continuation, and for the samples that are there", () => {
  let decided = 0;
  for (const { sizes, entropies } of reachable.values())
    for (const threshold of THRESHOLDS) {
      const decision = decideEntropy(sizes, K, threshold);
      if (decision === "open") continue;
      decided += 1;
      for (const entropy of entropies) expect(entropy > threshold).toBe(decision === "above");
      const n = total(sizes);
      if (n === 0) continue;
      const now = sizes.reduce((sum, size) => sum - (size / n) * Math.log(size / n), 0);
      expect(now > threshold, `${sizes} against ${threshold}`).toBe(decision === "above");
    }
  expect(decided).toBeGreaterThan(500);
});

test("what is open can go either way, unless it ends at the threshold itself", () => {
  for (const { sizes, entropies } of reachable.values())
    for (const threshold of THRESHOLDS) {
      if (decideEntropy(sizes, K, threshold) !== "open") continue;
      const sides = new Set([...entropies].map((entropy) => entropy > threshold));
      const isNear = [...entropies].some((entropy) => Math.abs(entropy - threshold) <= 1e-9);
      expect(sides.size === 2 || isNear, `${sizes} against ${threshold}`).toBe(true);
    }
});

test("no fewer further samples than it says can decide, and that many can", () => {
  for (const { sizes } of reachable.values())
    for (const threshold of THRESHOLDS) {
      const n = total(sizes);
      const asked = samplesUntilDecidable(sizes, K, threshold);
      // among the states that extend this one, the decided one with the fewest samples
      let fewest = K - n;
      for (const further of reachable.values()) {
        const more = total(further.sizes) - n;
        if (more < 0 || more >= fewest || !extendsSizes(sizes, further.sizes)) continue;
        if (decideEntropy(further.sizes, K, threshold) !== "open") fewest = more;
      }
      expect(asked, `${sizes} against ${threshold}`).toBe(fewest);
    }
});

/** Cluster ids are numbered by first appearance, so that later sizes continue earlier ones place by place. */
const extendsSizes = (before: readonly number[], after: readonly number[]): boolean =>
  before.every((size, id) => (after[id] ?? 0) >= size);

describe("worked by hand", () => {
  test("seven of ten agree", () => {
    const { min, max } = entropyBounds([7], 10);
    expect(min).toBe(0);
    expect(max).toBeCloseTo(-0.7 * Math.log(0.7) - 0.3 * Math.log(0.1), 14);
    expect(decideEntropy([7], 10, 0.95)).toBe("not-above");
    expect(decideEntropy([7], 10, 0.94)).toBe("open");
  });

  test("five of ten differ", () => {
    const { min, max } = entropyBounds([1, 1, 1, 1, 1], 10);
    expect(min).toBeCloseTo(-0.6 * Math.log(0.6) - 0.4 * Math.log(0.1), 14);
    expect(max).toBeCloseTo(Math.log(10), 14);
    expect(decideEntropy([1, 1, 1, 1, 1], 10, 1.2)).toBe("above");
  });

  test("thresholds that no entropy reaches, and the one that a single doubt exceeds", () => {
    expect(samplesUntilDecidable([], 10, 3)).toBe(0);
    expect(decideEntropy([], 10, 3)).toBe("not-above");
    expect(samplesUntilDecidable([], 10, 0)).toBe(2); // two that differ
    expect(samplesUntilDecidable([2], 10, 0)).toBe(1);
    expect(decideEntropy([9], 10, 0)).toBe("open");
  });
});

test("misuse is refused", () => {
  for (const [sizes, all] of [
    [[0], 3],
    [[1.5], 3],
    [[4], 3],
    [[], 0],
    [[1], 2.5],
  ] as const)
    expect(() => entropyBounds(sizes, all)).toThrow(RangeError);
});
