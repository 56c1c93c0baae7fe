import type { DecoderConfig } from "../graph/decoder-config.ts";

/**
 * Keys and values of B rows for a stretch of tokens, in arrays that TypeScript owns and onnxruntime reads in
 * place. Each of `keys[l]`, `values[l]` is [kvHeads, rows, capacity, headSize]; the first `length` of `capacity`
 * tokens are in use, the rest is zero and masked.
 */
export interface KvBlock {
  readonly rows: number;
  readonly length: number;
  readonly capacity: number;
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/** New keys and values of `tokens` tokens: per layer [kvHeads, rows, tokens, headSize]. */
export interface KvStep {
  readonly tokens: number;
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

type KvSizes = Pick<DecoderConfig, "blockCount" | "kvHeadCount" | "headSize">;

/**
 * Suffixes grow by this many tokens at a time, the first time by half of it: many answers are no longer. The capacity
 * follows from the length alone, so that a sample's arithmetic, rounding included, does not depend on how many samples
 * are drawn beside it.
 */
const CAPACITY_STEP = 32;

const capacityFor = (length: number): number =>
  length <= CAPACITY_STEP / 2 ? CAPACITY_STEP / 2 : Math.ceil(length / CAPACITY_STEP) * CAPACITY_STEP;

/** A block that holds no tokens yet. */
export function emptyKvBlock({ blockCount }: KvSizes, rows: number): KvBlock {
  const none = Array.from({ length: blockCount }, () => new Float32Array(0));
  return { rows, length: 0, capacity: 0, keys: none, values: none };
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
  roomy.keys.forEach((keys, layer) => {
    write(keys, step.keys[layer] as Float32Array);
    write(roomy.values[layer] as Float32Array, step.values[layer] as Float32Array);
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
    keys: block.keys.map(copy),
    values: block.values.map(copy),
  };
}

const everyRow = (block: KvBlock): number[] => Array.from({ length: block.rows }, (_, row) => row);
