import type { TracePosition } from "../engine/places.ts";
import { type Allocate, allocateNew } from "../math/vector.ts";
import { openHiddenStates } from "./hidden-states.ts";

/**
 * Where the features of one position and window of layers are; plain data, so that whichever thread works on them
 * reads them itself.
 */
export type FeatureSource =
  | {
      readonly kind: "file";
      /** A hidden-states file. */
      readonly path: string;
      readonly position: TracePosition;
      readonly layers: readonly number[];
      /** [N] rows of its tensors. */
      readonly rows: Int32Array;
    }
  | {
      /** Spans of tokens: a row for the mean state of each, or one for each of their tokens. */
      readonly kind: "spans";
      readonly reads: "means" | "tokens";
      readonly path: string;
      readonly layers: readonly number[];
      /** [N,2] half-open rows of the tensors of `every-token`, none empty. */
      readonly ranges: Int32Array;
    }
  | {
      readonly kind: "arrays";
      /** One [N, D] per layer. */
      readonly layers: readonly Float32Array[];
      readonly rowCount: number;
    }
  | {
      readonly kind: "stacked";
      /** Of equal width; the rows of one after those of the other. */
      readonly parts: readonly FeatureSource[];
    };

/** Features of a window: each row is the concatenation of the layers' states. */
export interface Features {
  /** [N, width] */
  readonly features: Float32Array;
  /** D times the number of layers */
  readonly width: number;
}

/**
 * Reads the features, one layer at a time.
 * @param allocate gives them their memory, unless they are an array of the source
 * @throws SepError as `openHiddenStates` and its `read`
 */
export async function readFeatures(
  source: FeatureSource,
  allocate: Allocate = allocateNew,
): Promise<Features> {
  if (source.kind === "arrays") {
    const { layers, rowCount } = source;
    return concatenate(layers.length, rowCount, async (l) => layers[l]!, allocate);
  }
  if (source.kind === "stacked") return stack(source.parts, allocate);
  if (source.kind === "spans")
    return source.reads === "means" ? readMeans(source, allocate) : readFeatures(tokensOf(source), allocate);
  const { path, position, layers, rows } = source;
  const hidden = await openHiddenStates(path);
  const read = (l: number, own?: Allocate): Promise<Float32Array> =>
    hidden.read(position, layers[l]!, rows, own);
  return concatenate(layers.length, rows.length, read, allocate);
}

type Spans = Extract<FeatureSource, { readonly kind: "spans" }>;

function tokensOf({ path, layers, ranges }: Spans): FeatureSource {
  const rows: number[] = [];
  for (let span = 0; 2 * span < ranges.length; span++)
    for (let row = ranges[2 * span]!; row < ranges[2 * span + 1]!; row++) rows.push(row);
  return { kind: "file", path, position: "every-token", layers, rows: Int32Array.from(rows) };
}

/** Spans whose tokens are read at once. */
const SPANS_AT_ONCE = 64;

async function readMeans(source: Spans, allocate: Allocate): Promise<Features> {
  const { ranges } = source;
  const count = ranges.length / 2;
  let features: Float32Array | null = null;
  let width = 0;
  for (let first = 0; first < count; first += SPANS_AT_ONCE) {
    const end = Math.min(first + SPANS_AT_ONCE, count);
    const own = { ...source, ranges: ranges.subarray(2 * first, 2 * end) };
    const tokens = await readFeatures(tokensOf(own));
    width = tokens.width;
    features ??= allocate(count * width);
    let token = 0;
    for (let span = first; span < end; span++) {
      const size = ranges[2 * span + 1]! - ranges[2 * span]!;
      const sum = new Float64Array(width);
      for (let t = 0; t < size; t++, token++)
        for (let j = 0; j < width; j++) sum[j] = sum[j]! + tokens.features[token * width + j]!;
      for (let j = 0; j < width; j++) features[span * width + j] = sum[j]! / size;
    }
  }
  return { features: features ?? allocate(0), width };
}

async function stack(parts: readonly FeatureSource[], allocate: Allocate): Promise<Features> {
  const read: Features[] = [];
  for (const part of parts) read.push(await readFeatures(part));
  const features = allocate(read.reduce((sum, part) => sum + part.features.length, 0));
  let start = 0;
  for (const part of read) {
    features.set(part.features, start);
    start += part.features.length;
  }
  return { features, width: read[0]!.width };
}

async function concatenate(
  count: number,
  rowCount: number,
  readLayer: (l: number, allocate?: Allocate) => Promise<Float32Array>,
  allocate: Allocate,
): Promise<Features> {
  const first = await readLayer(0, count === 1 ? allocate : undefined);
  const own = first.length / rowCount;
  if (count === 1) return { features: first, width: own };
  const width = own * count;
  const features = allocate(rowCount * width);
  for (let l = 0; l < count; l++) {
    const states = l === 0 ? first : await readLayer(l);
    for (let row = 0; row < rowCount; row++) {
      features.set(states.subarray(row * own, (row + 1) * own), row * width + l * own);
    }
  }
  return { features, width };
}
