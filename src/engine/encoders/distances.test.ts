import { expect, test } from "vitest";
import { distanceRow } from "./distances.ts";
import type { RelativePositions } from "./encoder-architecture.ts";

const V3: RelativePositions = {
  span: 256,
  buckets: 256,
  maxDistance: 512,
  contentToPosition: true,
  positionToContent: true,
  sharedProjections: true,
  normed: true,
};

test("short distances have rows of their own, long ones share them, and both sides mirror", () => {
  const rows = [0, 1, 127, 128, 129, 200, 300, 400, 510, 511, 600].map((distance) =>
    distanceRow(distance, V3),
  );
  // transformers 5.24, make_log_bucket_position(distance, 256, 512) + 256
  expect(rows).toEqual([256, 257, 383, 384, 385, 425, 463, 489, 511, 511, 511]);
  for (const distance of [1, 128, 129, 300]) {
    expect(distanceRow(-distance, V3) - 256).toBe(256 - distanceRow(distance, V3));
  }
});

test("without buckets every distance has a row, up to the last", () => {
  const plain = { ...V3, span: 20, buckets: null, maxDistance: 20 };
  expect([-25, -20, -1, 0, 19, 25].map((distance) => distanceRow(distance, plain))).toEqual([
    0, 0, 19, 20, 39, 39,
  ]);
});
