import type { RelativePositions } from "../encoder-config.ts";

/**
 * The row of the distances' table for a query that stands `distance` tokens after its key. Short distances have a row
 * each; with buckets, longer ones share rows on a logarithmic scale. In float32 as PyTorch computes it, since a
 * rounding decides between two rows.
 * @param distance negative where the query stands before its key
 * @returns 0 .. 2 span - 1
 * @see He et al. 2021 (DeBERTa), eq. 3; its version 2 adds the buckets
 */
export function distanceRow(distance: number, { span, buckets, maxDistance }: RelativePositions): number {
  const bucket = buckets === null ? distance : bucketOf(distance, buckets, maxDistance);
  return Math.min(Math.max(bucket + span, 0), 2 * span - 1);
}

function bucketOf(distance: number, buckets: number, maxDistance: number): number {
  const middle = Math.floor(buckets / 2);
  const length = Math.abs(distance);
  if (length <= middle) return distance;
  const scale = logarithm((maxDistance - 1) / middle);
  const share = Math.fround(Math.fround(logarithm(length / middle) / scale) * (middle - 1));
  return Math.sign(distance) * (Math.ceil(share) + middle);
}

const logarithm = (value: number): number => Math.fround(Math.log(Math.fround(value)));
