import type { DecoderConfig } from "../graph/decoder-config.ts";
import { DECODER_TENSORS as names } from "../graph/decoder-tensors.ts";
import { floatTensor, readFloats, type Tensor, type Tensors } from "../runtime/runtime.ts";

/** What only this file looks into, so that keys and values can stay on a device once a runtime keeps them there. */
const STORAGE: unique symbol = Symbol("keys and values");

/** Per layer, in arrays that TypeScript owns and onnxruntime reads in place. */
interface KvArrays {
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/** Keys and values of B rows for a stretch of tokens: the first `length` of `capacity` tokens are in use. */
export interface KvBlock {
  readonly rows: number;
  readonly length: number;
  readonly capacity: number;
  /** Each [kvHeads, rows, capacity, headSize]; what is not in use is zero and masked. */
  readonly [STORAGE]: KvArrays;
}

/** New keys and values of `tokens` tokens. */
export interface KvStep {
  readonly tokens: number;
  /** Each [kvHeads, rows, tokens, headSize]. */
  readonly [STORAGE]: KvArrays;
}

type KvSizes = Pick<DecoderConfig, "blockCount" | "kvHeadCount" | "headSize">;

/**
 * Suffixes grow by this many tokens at a time, the first time by half of it: many answers are no longer. The capacity
 * follows from the length alone, so that a sample's numbers, rounding included, do not depend on how many samples are
 * drawn beside it.
 */
const CAPACITY_STEP = 32;

const capacityFor = (length: number): number =>
  length <= CAPACITY_STEP / 2 ? CAPACITY_STEP / 2 : Math.ceil(length / CAPACITY_STEP) * CAPACITY_STEP;

/** A block that holds no tokens yet. */
export const emptyKvBlock = (sizes: KvSizes, rows: number): KvBlock =>
  createKvBlock(sizes, { rows, length: 0, capacity: 0 }, () => new Float32Array(0));

/** A block whose arrays are made by their size. */
export function createKvBlock(
  { blockCount, kvHeadCount, headSize }: KvSizes,
  shape: Pick<KvBlock, "rows" | "length" | "capacity">,
  make: (size: number) => Float32Array,
): KvBlock {
  const size = kvHeadCount * shape.rows * shape.capacity * headSize;
  const makeAll = (): Float32Array[] => Array.from({ length: blockCount }, () => make(size));
  return { ...shape, [STORAGE]: { keys: makeAll(), values: makeAll() } };
}

/** The block with `step`'s tokens appended. Writes into the given block's arrays where they have room. */
export function appendKv(sizes: KvSizes, block: KvBlock, step: KvStep): KvBlock {
  const length = block.length + step.tokens;
  const roomy = length <= block.capacity ? block : resize(sizes, block, everyRow(block), capacityFor(length));
  const { headSize, kvHeadCount } = sizes;
  const write = (target: Float32Array, source: Float32Array): void => {
    for (let lane = 0; lane < kvHeadCount * block.rows; lane++) {
      const from = lane * step.tokens * headSize;
      target.set(
        source.subarray(from, from + step.tokens * headSize),
        (lane * roomy.capacity + block.length) * headSize,
      );
    }
  };
  const [target, source] = [roomy[STORAGE], step[STORAGE]];
  target.keys.forEach((keys, layer) => {
    write(keys, source.keys[layer] as Float32Array);
    write(target.values[layer] as Float32Array, source.values[layer] as Float32Array);
  });
  return { ...roomy, length };
}

/** A block of the chosen rows only, in the given order: rows of finished samples are dropped. */
export function selectKvRows(sizes: KvSizes, block: KvBlock, rows: readonly number[]): KvBlock {
  return resize(sizes, block, rows, block.capacity);
}

/** The block without unused capacity, as a shared prefix must be. */
export function trimKv(sizes: KvSizes, block: KvBlock): KvBlock {
  return block.capacity === block.length ? block : resize(sizes, block, everyRow(block), block.length);
}

function resize(sizes: KvSizes, block: KvBlock, rows: readonly number[], capacity: number): KvBlock {
  const { headSize, kvHeadCount } = sizes;
  const copy = (source: Float32Array): Float32Array => {
    const target = new Float32Array(kvHeadCount * rows.length * capacity * headSize);
    for (let head = 0; head < kvHeadCount; head++) {
      rows.forEach((row, index) => {
        const from = (head * block.rows + row) * block.capacity * headSize;
        const to = (head * rows.length + index) * capacity * headSize;
        target.set(source.subarray(from, from + block.length * headSize), to);
      });
    }
    return target;
  };
  return {
    rows: rows.length,
    length: block.length,
    capacity,
    [STORAGE]: { keys: block[STORAGE].keys.map(copy), values: block[STORAGE].values.map(copy) },
  };
}

const everyRow = (block: KvBlock): number[] => Array.from({ length: block.rows }, (_, row) => row);

/** A block as the decoder graph's inputs. */
export function kvFeeds(sizes: KvSizes, kind: "prefix" | "suffix", block: KvBlock): Tensors {
  const { keys, values } = block[STORAGE];
  const shape = [sizes.kvHeadCount, block.rows, block.capacity, sizes.headSize];
  const feeds: Record<string, Tensor> = {};
  for (let layer = 0; layer < sizes.blockCount; layer++) {
    feeds[names.cache(kind, layer, "k")] = floatTensor(keys[layer] as Float32Array, shape);
    feeds[names.cache(kind, layer, "v")] = floatTensor(values[layer] as Float32Array, shape);
  }
  return feeds;
}

/** Names of the decoder graph's outputs with new keys and values. */
export const kvOutputs = ({ blockCount }: KvSizes): string[] =>
  Array.from({ length: blockCount }, (_, layer) => layer).flatMap((layer) => [
    names.cache("new", layer, "k"),
    names.cache("new", layer, "v"),
  ]);

/** New keys and values as the decoder graph returns them. */
export function readKvStep({ blockCount }: KvSizes, tokens: number, outputs: Tensors): KvStep {
  const read = (side: "k" | "v"): Float32Array[] =>
    Array.from({ length: blockCount }, (_, layer) => readFloats(outputs, names.cache("new", layer, side)));
  return { tokens, [STORAGE]: { keys: read("k"), values: read("v") } };
}
