import { type Allocate, allocateNew } from "../math/allocate.ts";
import { openHiddenStates } from "./hidden-states.ts";
import type { TracePosition } from "./positions.ts";

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
      readonly kind: "arrays";
      /** One [N, D] a layer. */
      readonly layers: readonly Float32Array[];
      readonly rowCount: number;
    }
  | {
      readonly kind: "stacked";
      /** Of equal width; the rows of one after those of the other. */
      readonly parts: readonly FeatureSource[];
    };

/** Features of a window: the layers' states side by side in each row. */
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
  const { path, position, layers, rows } = source;
  const hidden = await openHiddenStates(path);
  const read = (l: number, own?: Allocate): Promise<Float32Array> =>
    hidden.read(position, layers[l]!, rows, own);
  return concatenate(layers.length, rows.length, read, allocate);
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
