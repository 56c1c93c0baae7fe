import { SepError } from "../../errors.ts";
import type { SafetensorsDtype } from "../../formats/safetensors.ts";
import { decodeTensor } from "../../formats/tensor-bytes.ts";
import { attentionMask, eachSpan, fillingFor, maskKinds, type SharedSpan } from "../graph/attention-masks.ts";
import type { DecoderConfig } from "../graph/decoder-config.ts";
import { DECODER_TENSORS as names } from "../graph/decoder-tensors.ts";
import { inverseFrequencies, ropeTables, rotaryMagnitude, rotaryPairs } from "../graph/rope.ts";
import type { StoredWeight } from "../graph/weights.ts";
import { floatTensor, integerTensor, type Tensor, type Tensors } from "../runtime/runtime.ts";
import { emptyKvBlock, type KvBlock, type KvStep, kvFeeds } from "./kv-block.ts";
import type { Drawing } from "./vocabulary.ts";

/** One forward pass over S new tokens in each of B rows. */
export interface DecoderPass {
  /** [B * S] token ids, row after row. */
  readonly tokenIds: readonly number[];
  /** B */
  readonly rows: number;
  /** What rows of one or several prompts begin with, one row per group; nothing by default. */
  readonly common?: KvBlock | undefined;
  /** [B] the group of each row there; all are in the first one by default. */
  readonly commonOf?: readonly number[] | undefined;
  /** What rows of one prompt have behind that, one row per group. */
  readonly prefix: KvBlock;
  /** [B] the group of each row; all are in the first one by default. */
  readonly groupOf?: readonly number[] | undefined;
  /** Each row's own tokens so far: B rows. */
  readonly suffix: KvBlock;
  /** Which of the B * S tokens to predict the next token of. */
  readonly logitRows: readonly number[];
  /** How each of these is drawn; whole logits are read by default. */
  readonly drawings?: readonly Drawing[] | undefined;
  /** Which of the B * S tokens to read the residual stream at. */
  readonly traceRows: readonly number[];
  /** Residual layers to read, 0 .. L. */
  readonly layers: readonly number[];
  /** Also read the stream after the final norm. */
  readonly finalNorm: boolean;
  /** Where the new keys and values are written; a pass that nothing follows does without. */
  readonly kv: KvStep | null;
}

/** A span that rows share: one row of the block per group. */
interface SharedTokens {
  readonly block: KvBlock;
  /** [B] the group of each row */
  readonly groups: readonly number[];
  /** [B] */
  readonly lengths: readonly number[];
}

function sharedTokens(config: DecoderConfig, pass: DecoderPass): Readonly<Record<SharedSpan, SharedTokens>> {
  const share = (block: KvBlock, groups = new Array<number>(pass.rows).fill(0) as readonly number[]) => ({
    block,
    groups,
    lengths: groups.map((group) => block.lengths[group] as number),
  });
  return {
    common: share(pass.common ?? emptyKvBlock(config, 1), pass.commonOf),
    prefix: share(pass.prefix, pass.groupOf),
  };
}

/** [B] tokens that each row has before its new ones. */
export function pastLengths(config: DecoderConfig, pass: DecoderPass): number[] {
  const { common, prefix } = sharedTokens(config, pass);
  return pass.suffix.lengths.map(
    (length, row) => length + (common.lengths[row] as number) + (prefix.lengths[row] as number),
  );
}

/** Makes the graph's inputs for one pass; rotary tables and slots that serve the next pass too are kept. */
export function createDecoderFeeds(
  config: DecoderConfig,
  embeddings: EmbeddingRows | null = null,
): (pass: DecoderPass) => Promise<Tensors> {
  const ropes = createRopeFeeds(config);
  const masks = createMaskFeeds(config);
  const slots = eachSpan((span) => createSlotFeeds(config, span));
  return async (pass) => {
    const past = pastLengths(config, pass);
    const shared = sharedTokens(config, pass);
    return {
      ...kvFeeds(config, "common", shared.common.block),
      ...kvFeeds(config, "prefix", shared.prefix.block),
      ...kvFeeds(config, "suffix", pass.suffix),
      ...(embeddings === null ? idFeeds(pass) : await embeddingFeeds(pass, embeddings)),
      ...placeFeeds(pass, past),
      ...drawingFeeds(pass),
      ...slots.common(shared.common),
      ...slots.prefix(shared.prefix),
      ...ropes(Math.max(...past) + pass.tokenIds.length / pass.rows),
      ...masks(pass, shared),
    };
  };
}

const idFeeds = ({ tokenIds, rows }: DecoderPass): Tensors => ({
  [names.tokenIds]: integerTensor(tokenIds, [rows, tokenIds.length / rows]),
});

async function embeddingFeeds({ tokenIds }: DecoderPass, embeddings: EmbeddingRows): Promise<Tensors> {
  const values = await embeddings.read(tokenIds);
  return { [names.embeddings]: floatTensor(values, [tokenIds.length, values.length / tokenIds.length]) };
}

function placeFeeds({ tokenIds, rows, traceRows, logitRows }: DecoderPass, past: readonly number[]): Tensors {
  const tokens = tokenIds.length / rows;
  const positions = new BigInt64Array(tokenIds.length);
  for (let i = 0; i < positions.length; i++)
    positions[i] = BigInt((past[Math.floor(i / tokens)] as number) + (i % tokens));
  return {
    [names.positionIds]: { type: "int64", data: positions, dims: [rows, tokens] },
    [names.traceRows]: integerTensor(traceRows, [traceRows.length]),
    // at least one row, fetched or not: onnxruntime 1.30 gives reductions of nothing a wrong shape
    [names.logitRows]: integerTensor(logitRows.length > 0 ? logitRows : [0], [Math.max(1, logitRows.length)]),
  };
}

function drawingFeeds({ logitRows, drawings = [] }: DecoderPass): Tensors {
  const dims = [Math.max(1, logitRows.length)];
  const feed = (read: (drawing: Drawing) => number): Tensor =>
    floatTensor(
      Float32Array.from({ length: dims[0] as number }, (_, row) => read(drawings[row] ?? WHOLE_LOGITS)),
      dims,
    );
  return {
    [names.inverseTemperature]: feed(({ temperature }) => 1 / (temperature || 1)),
    [names.window]: feed(({ window }) => window),
    [names.share]: feed(({ share }) => share),
  };
}

const WHOLE_LOGITS: Drawing = { temperature: 1, window: 0, share: 0, whole: true };

/** Whether a pass reads all logits of the tokens that it predicts. */
export const readsWholeLogits = ({ logitRows, drawings }: DecoderPass): boolean =>
  logitRows.length > 0 && (drawings === undefined || drawings.some(({ whole }) => whole));

/** Which row's queries are in which slot of their group; kept while the rows stay. */
function createSlotFeeds(
  { headCount, kvHeadCount: heads }: DecoderConfig,
  span: SharedSpan,
): (shared: SharedTokens) => Tensors {
  // onnxruntime multiplies a single row by another kernel, with another rounding, than two or more
  const leastSlots = headCount === heads ? 2 : 1;
  let key = "";
  let feeds: Tensors = {};
  return ({ block, groups }) => {
    const rows = groups.length;
    const isEmpty = block.capacity === 0;
    const current = `${isEmpty};${block.rows};${groups}`;
    if (current === key) return feeds;
    const members: number[][] = Array.from({ length: block.rows }, () => []);
    // what is empty gives every row the same nothing, which need not be computed for each of them
    if (!isEmpty) for (const [row, group] of groups.entries()) (members[group] as number[]).push(row);
    const count = Math.max(leastSlots, ...members.map((own) => own.length));
    // a slot without a row holds the first row's queries, and nobody reads what comes of them
    const slots = new Array<number>(block.rows * heads * count).fill(0);
    const slotOfRow = new Array<number>(rows * heads).fill(0);
    for (const [group, own] of members.entries())
      for (const [index, row] of own.entries())
        for (let head = 0; head < heads; head++) {
          const slot = (group * heads + head) * count + index;
          slots[slot] = row * heads + head;
          slotOfRow[row * heads + head] = slot;
        }
    key = current;
    feeds = {
      [names.slots(span)]: integerTensor(slots, [block.rows, heads, count]),
      [names.slotOfRow(span)]: integerTensor(slotOfRow, [rows, heads]),
    };
    return feeds;
  };
}

/** Rotary tables that grow with the longest position asked for. */
function createRopeFeeds(config: DecoderConfig): (positions: number) => Tensors {
  const frequencies = config.ropes.map(inverseFrequencies);
  let count = 0;
  let feeds: Record<string, Tensor> = {};
  return (positions) => {
    if (positions > count) {
      count = Math.max(256, 2 ** Math.ceil(Math.log2(positions)));
      feeds = {};
      for (const [index, rope] of config.ropes.entries()) {
        const tables = ropeTables(frequencies[index] as Float32Array, count, rotaryMagnitude(rope));
        const shape = [count, rotaryPairs(rope)];
        feeds[names.rope(index, "cos")] = floatTensor(tables.cos, shape);
        feeds[names.rope(index, "sin")] = floatTensor(tables.sin, shape);
      }
    }
    return feeds;
  };
}

/** The masks that the config's blocks take. */
function createMaskFeeds(
  config: DecoderConfig,
): (pass: DecoderPass, shared: Readonly<Record<SharedSpan, SharedTokens>>) => Tensors {
  const kinds = [...maskKinds(config)];
  return ({ tokenIds, rows, suffix }, { common, prefix }) => {
    const tokens = tokenIds.length / rows;
    const spans = {
      commonCapacity: common.block.capacity,
      prefixCapacity: prefix.block.capacity,
      suffixCapacity: suffix.capacity,
      tokens,
    };
    const { gap, padding } = fillingFor(spans);
    const width = spans.commonCapacity + spans.prefixCapacity + gap + tokens + suffix.capacity + padding;
    const feeds: Record<string, Tensor> = { [names.gap]: integerTensor([gap], [1]) };
    for (const kind of kinds) {
      const window = kind === "sliding" ? config.window : null;
      const mask = new Float32Array(rows * tokens * width);
      for (const [row, suffixLength] of suffix.lengths.entries()) {
        const lengths = {
          commonLength: common.lengths[row] as number,
          prefixLength: prefix.lengths[row] as number,
          suffixLength,
        };
        mask.set(attentionMask({ ...spans, ...lengths }, window), row * tokens * width);
      }
      feeds[names.mask(kind)] = floatTensor(mask, [rows, 1, 1, tokens, width]);
    }
    return feeds;
  };
}

/** Rows of an embedding table that is not in the graph. */
interface EmbeddingRows extends AsyncDisposable {
  /**
   * @param tokenIds [N]
   * @returns [N, D] float32
   * @throws SepError `bad-checkpoint` for an id that the table has no row of, or if its file became shorter
   */
  read(tokenIds: readonly number[]): Promise<Float32Array>;
}

/** Keeps the table's source open. @param table [V, D] F32, F16 or BF16 */
export async function openEmbeddingRows(table: StoredWeight): Promise<EmbeddingRows> {
  const { source, dtype, shape, byteOffset, byteLength } = table;
  const shown = source.path ?? source.name;
  const rowCount = shape[0] as number;
  const rowBytes = byteLength / rowCount;
  const reader = await source.open();
  return {
    async read(tokenIds) {
      const bytes = new Uint8Array(tokenIds.length * rowBytes);
      for (const [at, id] of tokenIds.entries()) {
        if (!(Number.isInteger(id) && id >= 0 && id < rowCount)) {
          throw new SepError(
            "bad-checkpoint",
            `${shown}: no embedding of token ${id}, only of 0 to ${rowCount - 1}.`,
          );
        }
        const row = bytes.subarray(at * rowBytes, (at + 1) * rowBytes);
        const reading = reader.read(row, byteOffset + id * rowBytes);
        // awaited only where it has to be: the pages of a table in use are in memory
        const read = typeof reading === "number" ? reading : await reading;
        if (read < rowBytes) {
          throw new SepError(
            "bad-checkpoint",
            `${shown} ends at token ${id}'s embedding: read ${read} of ${rowBytes} bytes. It was truncated after the model was loaded; download it again.`,
          );
        }
      }
      return decodeTensor(bytes, dtype as SafetensorsDtype);
    },
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}
