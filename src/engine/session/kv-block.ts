import type { SharedSpan } from "../graph/attention-masks.ts";
import type { DecoderConfig } from "../graph/decoder-config.ts";
import { DECODER_TENSORS as names } from "../graph/decoder-tensors.ts";
import { floatTensor, type Tensor, type Tensors } from "../runtime/runtime.ts";

/** What only this file looks into, so that keys and values can stay on a device once a runtime keeps them there. */
const STORAGE: unique symbol = Symbol("keys and values");

/** Per layer [rows, kvHeads, capacity, headSize], in arrays that TypeScript owns and onnxruntime reads in place. */
interface KvArrays {
  readonly keys: readonly Float32Array[];
  readonly values: readonly Float32Array[];
}

/** Keys and values of B rows of tokens; of `capacity` tokens, each row uses as many as it has. */
export interface KvBlock {
  readonly rows: number;
  /** [B] tokens in use */
  readonly lengths: readonly number[];
  readonly capacity: number;
  /** What lies before the tokens of this block's only row: a row that other blocks begin with, too. */
  readonly common?: KvBlock | undefined;
  /** Each of at least so many rows; what is not in use is finite and masked. */
  readonly [STORAGE]: KvArrays;
}

/** New keys and values of `tokens` tokens in each row. */
export interface KvStep {
  readonly rows: number;
  readonly tokens: number;
  /** As in a block whose capacity is `tokens`. */
  readonly [STORAGE]: KvArrays;
}

type KvSizes = Pick<DecoderConfig, "blockCount" | "kvHeadCount" | "headSize">;

/**
 * Capacities are multiples of this, or of {@link CLOSE_STEP}. Masked tokens add too little to change any sum, so that a row's numbers do not
 * depend on how much longer the rows beside it are, as long as no number changes its lane in the widest vectors (16 numbers,
 * taken four at a time).
 */
const CAPACITY_STEP = 64;
/** onnxruntime sums products over more numbers than these in two parts, except with at most 64 keys. */
const SUMMED_AT_ONCE = 128;

/** The capacity for rows of up to `length` tokens. */
export function capacityFor({ headSize }: KvSizes, length: number): number {
  if (length === 0) return 0;
  const least = headSize > SUMMED_AT_ONCE ? 2 * CAPACITY_STEP : CAPACITY_STEP;
  return Math.max(least, roundUp(length, CAPACITY_STEP));
}

/**
 * The capacity for suffixes that grow by a token at a time. Products with one token's query are summed token after token,
 * so that it can follow the length more closely, in steps of 16 tokens, and of up to 64 for long suffixes: every step reads all of it,
 * and growing copies it.
 */
export const suffixCapacityFor = (_sizes: KvSizes, length: number): number =>
  roundUp(length, Math.min(CAPACITY_STEP, CLOSE_STEP * Math.max(1, Math.ceil(length / SHORT_SUFFIX))));

/** The capacity for prefixes of a batch: rows of short prompts would meet more padding than tokens. */
export const prefixCapacityFor = (sizes: KvSizes, length: number): number =>
  length === 0 || length > SHORT_PREFIX || sizes.headSize > SUMMED_AT_ONCE
    ? capacityFor(sizes, length)
    : roundUp(length, CLOSE_STEP);

const SHORT_SUFFIX = 128;
const SHORT_PREFIX = 256;
const CLOSE_STEP = 16;

const roundUp = (length: number, step: number): number => Math.ceil(length / step) * step;

/** What keys and values of one token take. */
export const kvBytesPerToken = ({ blockCount, kvHeadCount, headSize }: KvSizes): number =>
  2 * blockCount * kvHeadCount * headSize * Float32Array.BYTES_PER_ELEMENT;

/** What a block takes. */
export const kvBytesOf = (sizes: KvSizes, { rows, capacity }: KvBlock): number =>
  rows * capacity * kvBytesPerToken(sizes);

/** A block that holds no tokens yet. */
export const emptyKvBlock = (sizes: KvSizes, rows: number): KvBlock =>
  createKvBlock(sizes, { lengths: new Array<number>(rows).fill(0), capacity: 0 }, () => new Float32Array(0));

/** A block whose arrays are made by their size. */
export function createKvBlock(
  { blockCount, kvHeadCount, headSize }: KvSizes,
  { lengths, capacity }: Pick<KvBlock, "lengths" | "capacity">,
  make: (size: number) => Float32Array,
): KvBlock {
  const size = lengths.length * kvHeadCount * capacity * headSize;
  const makeAll = (): Float32Array[] => Array.from({ length: blockCount }, () => make(size));
  return { rows: lengths.length, lengths, capacity, [STORAGE]: { keys: makeAll(), values: makeAll() } };
}

/** The block with `step`'s tokens appended to every row. Writes into the given block's arrays where they have room. */
export function appendKv(sizes: KvSizes, block: KvBlock, step: KvStep): KvBlock {
  const lengths = block.lengths.map((length) => length + step.tokens);
  const capacity = capacityFor(sizes, Math.max(...lengths));
  const roomy = capacity <= block.capacity ? block : resize(sizes, block, everyRow(block), capacity);
  writeStep(sizes, roomy, step);
  return { ...roomy, lengths };
}

/** Writes a step's tokens behind those of each row from `first` on. */
function writeStep(sizes: KvSizes, block: KvBlock, step: KvStep, first = 0): void {
  const { kvHeadCount, headSize } = sizes;
  const size = step.tokens * headSize;
  const begin = first * kvHeadCount;
  const places = Int32Array.from({ length: block.rows * kvHeadCount - begin }, (_, index) => {
    const lane = begin + index;
    return (lane * block.capacity + (block.lengths[Math.floor(lane / kvHeadCount)] as number)) * headSize;
  });
  eachPair(step[STORAGE], block[STORAGE], (source, target) => {
    if (size > FEW_NUMBERS || headSize % 2 > 0) {
      for (const [index, to] of places.entries())
        copyNumbers(source, (begin + index) * size, target, to, size);
      return;
    }
    // what a step of an answer does, for each row and head: numbers go two at a time
    const [from, to] = [inPairs(source), inPairs(target)];
    const pairs = size / 2;
    for (let index = 0; index < places.length; index++) {
      const at = (begin + index) * pairs;
      const place = (places[index] as number) / 2;
      for (let i = 0; i < pairs; i++) to[place + i] = from[at + i] as number;
    }
  });
}

/** The same memory, without what is left of an odd number, for copying. */
const inPairs = ({ buffer, byteOffset, length }: Float32Array): Float64Array =>
  new Float64Array(buffer, byteOffset, Math.floor(length / 2));

/** A token of a row, from which on tokens are copied. */
interface KvPlace {
  readonly arrays: KvArrays;
  readonly capacity: number;
  readonly row: number;
  readonly token: number;
}

function copyTokens(sizes: KvSizes, from: KvPlace, to: KvPlace, count: number): void {
  const { kvHeadCount, headSize } = sizes;
  const size = count * headSize;
  eachPair(from.arrays, to.arrays, (source, target) => {
    for (let head = 0; head < kvHeadCount; head++) {
      const at = ((from.row * kvHeadCount + head) * from.capacity + from.token) * headSize;
      const place = ((to.row * kvHeadCount + head) * to.capacity + to.token) * headSize;
      copyNumbers(source, at, target, place, size);
    }
  });
}

/** Array by array: neighbouring places are read and written one after the other, which memory serves fastest. */
function eachPair(
  from: KvArrays,
  to: KvArrays,
  visit: (source: Float32Array, target: Float32Array) => void,
): void {
  for (const [layer, keys] of from.keys.entries()) {
    visit(keys, to.keys[layer] as Float32Array);
    visit(from.values[layer] as Float32Array, to.values[layer] as Float32Array);
  }
}

function copyNumbers(
  source: Float32Array,
  at: number,
  target: Float32Array,
  place: number,
  size: number,
): void {
  // a view takes longer to make than a few numbers to copy
  if (size <= FEW_NUMBERS) for (let i = 0; i < size; i++) target[place + i] = source[at + i] as number;
  else target.set(source.subarray(at, at + size), place);
}

const FEW_NUMBERS = 128;

/** A block of the chosen rows, in the given order; a row may be chosen more than once. */
export function selectKvRows(sizes: KvSizes, block: KvBlock, rows: readonly number[]): KvBlock {
  return resize(sizes, block, rows, block.capacity);
}

function resize(sizes: KvSizes, block: KvBlock, rows: readonly number[], capacity: number): KvBlock {
  const lengths = rows.map((row) => block.lengths[row] as number);
  const target = createKvBlock(sizes, { lengths, capacity }, (size) => new Float32Array(size));
  for (const [index, row] of rows.entries()) copyRow(sizes, { block, row }, { block: target, row: index });
  return target;
}

interface KvRow {
  readonly block: KvBlock;
  readonly row: number;
}

/** Copies the tokens that a row has. */
function copyRow(sizes: KvSizes, from: KvRow, to: KvRow): void {
  const place = ({ block, row }: KvRow): KvPlace => ({
    arrays: block[STORAGE],
    capacity: block.capacity,
    row,
    token: 0,
  });
  copyTokens(sizes, place(from), place(to), from.block.lengths[from.row] as number);
}

const everyRow = (block: KvBlock): number[] => Array.from({ length: block.rows }, (_, row) => row);

/** Rows that come and go, in arrays that stay. */
export interface KvRows {
  /** As it is now; the next change may write into it. */
  readonly block: KvBlock;
  /** Adds a row with the tokens of another block's row, or with none. @returns its index, the highest */
  add(block?: KvBlock, row?: number): number;
  /** Adds a row with the tokens of another one. @returns its index, the highest */
  copy(row: number): number;
  /** Removes a row; the last one takes its index. */
  remove(row: number): void;
  /** Appends to the rows from `first` on. */
  append(step: KvStep, first: number): void;
  /**
   * Arrays are made for at least so many rows times tokens from now on, so that they need not be moved while they fill. What
   * is not in use takes addresses, and no memory.
   */
  reserve(tokens: number): void;
}

/** @param capacityOf how much room rows of a length get */
export function createKvRows(
  sizes: KvSizes,
  capacityOf: (sizes: KvSizes, length: number) => number = capacityFor,
): KvRows {
  let lengths: number[] = [];
  let arrays = emptyKvBlock(sizes, 0);
  /** Rows times tokens that the arrays have room for, and those that they are to have. */
  let tokens = 0;
  let reserved = 0;
  const current = (): KvBlock => ({ ...arrays, rows: lengths.length, lengths });
  const require = (rows: number, length: number): void => {
    const capacity = capacityOf(sizes, length);
    // rows give back what only longer ones before them needed, when that is half or more
    const fits = capacity <= arrays.capacity && 2 * capacity >= arrays.capacity;
    if (fits && rows * arrays.capacity <= tokens) return;
    const before = current();
    const needed = rows * capacity;
    if (needed <= tokens && 4 * Math.max(needed, reserved) >= tokens) {
      moveLanes(sizes, before, capacity);
      arrays = { ...arrays, capacity };
      return;
    }
    // room to grow: new memory costs more than what it is for
    tokens = needed <= reserved ? reserved : ROOM_TO_GROW * rows * roundUp(capacity, CAPACITY_STEP);
    const size = tokens * sizes.kvHeadCount * sizes.headSize;
    arrays = createKvBlock(sizes, { lengths: new Array<number>(rows).fill(0), capacity }, () => zeros(size));
    for (let row = 0; row < before.rows; row++)
      copyRow(sizes, { block: before, row }, { block: arrays, row });
  };
  const longest = (): number => lengths.reduce((most, length) => Math.max(most, length), 0);
  return {
    get block() {
      return current();
    },
    add(block, row = 0) {
      const length = block?.lengths[row] ?? 0;
      require(lengths.length + 1, Math.max(longest(), length));
      lengths = [...lengths, length];
      const added = lengths.length - 1;
      if (block !== undefined) copyRow(sizes, { block, row }, { block: arrays, row: added });
      return added;
    },
    copy(row) {
      require(lengths.length + 1, longest());
      lengths = [...lengths, lengths[row] as number];
      const added = lengths.length - 1;
      copyRow(sizes, { block: current(), row }, { block: current(), row: added });
      return added;
    },
    remove(row) {
      const last = lengths.length - 1;
      if (row < last) copyRow(sizes, { block: current(), row: last }, { block: arrays, row });
      lengths = lengths.with(row, lengths[last] as number).slice(0, last);
      require(lengths.length, longest());
    },
    append(step, first) {
      require(lengths.length, longest() + step.tokens);
      writeStep(sizes, current(), step, first);
      lengths = lengths.map((length, row) => (row < first ? length : length + step.tokens));
    },
    reserve(least) {
      reserved = least;
      require(lengths.length, longest());
    },
  };
}

/** Capacities that arrays have room for when they are made, times what is needed then. */
const ROOM_TO_GROW = 2;

/** Moves every row's tokens within its arrays to where they lie with another capacity. */
function moveLanes({ kvHeadCount, headSize }: KvSizes, block: KvBlock, capacity: number): void {
  const count = block.rows * kvHeadCount;
  const grows = capacity > block.capacity;
  const lanes = Array.from({ length: count }, (_, step) => {
    const lane = grows ? count - 1 - step : step; // away from lanes that are still to be moved
    const used = (block.lengths[Math.floor(lane / kvHeadCount)] as number) * headSize;
    return { from: lane * block.capacity * headSize, to: lane * capacity * headSize, used };
  });
  for (const array of [...block[STORAGE].keys, ...block[STORAGE].values])
    for (const { from, to, used } of lanes) array.copyWithin(to, from, from + used);
}

const zeros = (size: number): Float32Array => new Float32Array(size);

/** A block as the decoder graph's inputs. */
export function kvFeeds(
  { kvHeadCount, headSize }: KvSizes,
  kind: SharedSpan | "suffix",
  { rows, capacity, [STORAGE]: arrays }: KvBlock,
): Tensors {
  // the graph folds the rows of what they share into one product, and has a suffix's heads one by one
  const lanes = kind === "suffix" ? [rows, kvHeadCount, 1] : [rows, kvHeadCount];
  return layerTensors(kind, [...lanes, capacity, headSize], arrays);
}

/** The beginnings of each layer's arrays as tensors of the decoder graph. */
function layerTensors(
  kind: SharedSpan | "suffix" | "new",
  shape: readonly number[],
  arrays: KvArrays,
): Tensors {
  const size = shape.reduce((product, length) => product * length);
  const tensor = (array: Float32Array): Tensor => floatTensor(array.subarray(0, size), shape);
  const tensors: Record<string, Tensor> = {};
  for (const [layer, keys] of arrays.keys.entries()) {
    tensors[names.cache(kind, layer, "k")] = tensor(keys);
    tensors[names.cache(kind, layer, "v")] = tensor(arrays.values[layer] as Float32Array);
  }
  return tensors;
}

/**
 * Room for the new keys and values of one pass after another: each gets the same arrays again, as long as they are large
 * enough. Fresh ones for every step are megabytes of garbage, which take longer to collect than to fill.
 */
export function createKvStepRoom(sizes: KvSizes): (rows: number, tokens: number) => KvStep {
  let block = emptyKvBlock(sizes, 0);
  return (rows, tokens) => {
    if (rows * tokens > block.rows * block.capacity)
      block = createKvBlock(sizes, { lengths: new Array<number>(rows).fill(0), capacity: tokens }, zeros);
    return { rows, tokens, [STORAGE]: block[STORAGE] };
  };
}

/** The decoder graph's outputs with new keys and values, which are written into a step's arrays. */
export const kvOutputs = ({ kvHeadCount, headSize }: KvSizes, step: KvStep): Tensors =>
  layerTensors("new", [step.rows, kvHeadCount, step.tokens, headSize], step[STORAGE]);
