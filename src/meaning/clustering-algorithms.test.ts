import { expect, test } from "vitest";
import golden from "../../test/golden/spectral-groups.json" with { type: "json" };
import { clusterSpectrally } from "./clustering-algorithms.ts";

const firstAppearance = (groupOf: readonly number[]): number[] => {
  const order = [...new Set(groupOf)];
  return groupOf.map((group) => order.indexOf(group));
};

test.each(golden.groups.map((each, i) => [i, each] as const))(
  "scikit-learn's groups, case %d",
  (_i, { affinity, group_count, group_ids }) => {
    const groups = clusterSpectrally(affinity);
    expect(new Set(groups).size).toBe(group_count);
    expect(firstAppearance(groups)).toEqual(group_ids);
  },
);

test("the items' order does not matter", () => {
  for (const { affinity } of golden.groups) {
    const groups = clusterSpectrally(affinity);
    const reversed = clusterSpectrally(affinity.toReversed().map((row) => row.toReversed())).toReversed();
    for (const i of affinity.keys())
      for (const j of affinity.keys())
        expect(reversed[i] === reversed[j], `${i} and ${j}`).toBe(groups[i] === groups[j]);
  }
});

const pairOf = (p: number): number[][] => [
  [1, p],
  [p, 1],
];

test("nothing, one item, all alike, all different, and two that are more or less than a third alike", () => {
  expect(clusterSpectrally([])).toEqual([]);
  expect(clusterSpectrally([[1]])).toEqual([0]);
  expect(new Set(clusterSpectrally([1, 1, 1].map(() => [1, 1, 1]))).size).toBe(1);
  const apart = [0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => (i === j ? 1 : 0)));
  expect(new Set(clusterSpectrally(apart)).size).toBe(4);
  expect(new Set(clusterSpectrally(pairOf(0.34))).size).toBe(1);
  expect(new Set(clusterSpectrally(pairOf(0.33))).size).toBe(2);
});
