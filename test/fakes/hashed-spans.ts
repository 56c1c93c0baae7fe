import type { FeatureSource, Features } from "../../src/states/feature-source.ts";
import { hashed } from "./hashed.ts";

/** Spans of tokens by a formula, the same in test/golden/generate/pooled_probes.py; one token of each has its label. */
export interface HashedSpans {
  /** [T, width] */
  readonly values: Float32Array;
  /** [n + 1] */
  readonly starts: Int32Array;
  /** [n] */
  readonly labels: Uint8Array;
  /** Its tokens as a job reads them. */
  readonly source: Extract<FeatureSource, { readonly kind: "spans" }>;
  readonly readFeatures: (source: FeatureSource) => Promise<Features>;
}

export function makeHashedSpans(count: number, width: number): HashedSpans {
  const lengths = Array.from({ length: count }, (_, i) => 3 + Math.trunc(18 * hashed(i, 5555)));
  const labels = Uint8Array.from(lengths, (_, i) => (hashed(i, 7777) > 0.55 ? 1 : 0));
  const starts = Int32Array.from([0, ...lengths]);
  for (let i = 1; i < starts.length; i++) starts[i] = starts[i]! + starts[i - 1]!;
  const values = new Float32Array(starts.at(-1)! * width);
  for (const [i, length] of lengths.entries()) {
    const marked = Math.trunc(length * hashed(i, 8888));
    for (let t = 0; t < length; t++) {
      const token = starts[i]! + t;
      for (let j = 0; j < width; j++) {
        const signal = t !== marked ? 0 : j < 2 ? 1.5 * labels[i]! : j === 2 ? 1 : 0;
        values[token * width + j] = (1 + (j % 3)) * (hashed(token, j) - 0.5 + signal) + j;
      }
    }
  }
  const ranges = Int32Array.from(lengths.flatMap((_, i) => [starts[i]!, starts[i + 1]!]));
  return {
    values,
    starts,
    labels,
    source: { kind: "spans", reads: "means", path: "", layers: [0], ranges },
    readFeatures: async (source) => {
      const { ranges: own } = source as HashedSpans["source"];
      const features = values.slice(own[0]! * width, own.at(-1)! * width); // spans that follow each other
      return { features, width };
    },
  };
}
