import { Tensor } from "onnxruntime-node";
import { maskKinds, newTokenMask, suffixMask, wholeMask } from "../graph/attention-masks.ts";
import type { DecoderConfig } from "../graph/decoder-config.ts";
import { DECODER_TENSORS as names } from "../graph/decoder-tensors.ts";
import { inverseFrequencies, ropeTables, rotaryMagnitude, rotaryPairs } from "../graph/rope.ts";
import type { DecoderPass } from "./decoder-session.ts";
import type { EmbeddingRows } from "./embedding-rows.ts";
import type { KvBlock } from "./kv-block.ts";

type Feeds = Record<string, Tensor>;

/** Makes the graph's inputs for one pass; rotary tables and masks that serve the next pass too are kept. */
export function createDecoderFeeds(
  config: DecoderConfig,
  embeddings: EmbeddingRows | null = null,
): (pass: DecoderPass) => Feeds {
  const ropes = createRopeFeeds(config);
  const masks = createMaskFeeds(config);
  return (pass) => {
    const tokens = pass.tokenIds.length / pass.rows;
    return {
      ...cacheFeeds(config, pass),
      ...(embeddings === null ? idFeeds(pass) : embeddingFeeds(pass, embeddings)),
      ...placeFeeds(pass),
      ...ropes(pass.prefix.length + pass.suffix.length + tokens),
      ...masks(pass),
    };
  };
}

const idFeeds = ({ tokenIds, rows }: DecoderPass): Feeds => ({
  [names.tokenIds]: integers(tokenIds, [rows, tokenIds.length / rows]),
});

function embeddingFeeds({ tokenIds }: DecoderPass, embeddings: EmbeddingRows): Feeds {
  const values = embeddings.read(tokenIds);
  return { [names.embeddings]: floats(values, [tokenIds.length, values.length / tokenIds.length]) };
}

function placeFeeds({ tokenIds, rows, prefix, suffix, traceRows, logitRows }: DecoderPass): Feeds {
  const tokens = tokenIds.length / rows;
  const first = prefix.length + suffix.length;
  const positions = new BigInt64Array(tokenIds.length);
  for (let i = 0; i < positions.length; i++) positions[i] = BigInt(first + (i % tokens));
  return {
    [names.positionIds]: new Tensor("int64", positions, [rows, tokens]),
    [names.traceRows]: integers(traceRows, [traceRows.length]),
    // at least one row, fetched or not: onnxruntime 1.30 gives reductions of nothing a wrong shape
    [names.logitRows]: integers(logitRows.length > 0 ? logitRows : [0], [Math.max(1, logitRows.length)]),
  };
}

const integers = (values: readonly number[], dimensions: readonly number[]): Tensor =>
  new Tensor("int64", BigInt64Array.from(values, BigInt), dimensions);

const floats = (values: Float32Array, dimensions: readonly number[]): Tensor =>
  new Tensor("float32", values, dimensions);

function cacheFeeds(config: DecoderConfig, { prefix, suffix }: DecoderPass): Feeds {
  const feeds: Feeds = {};
  const add = (kind: "prefix" | "suffix", block: KvBlock): void => {
    const shape = [config.kvHeadCount, block.rows, block.capacity, config.headSize];
    for (let layer = 0; layer < config.blockCount; layer++) {
      feeds[names.cache(kind, layer, "k")] = floats(block.keys[layer] as Float32Array, shape);
      feeds[names.cache(kind, layer, "v")] = floats(block.values[layer] as Float32Array, shape);
    }
  };
  add("prefix", prefix);
  add("suffix", suffix);
  return feeds;
}

/** Rotary tables that grow with the longest position asked for. */
function createRopeFeeds(config: DecoderConfig): (positions: number) => Feeds {
  const frequencies = config.ropes.map(inverseFrequencies);
  let count = 0;
  let feeds: Feeds = {};
  return (positions) => {
    if (positions > count) {
      count = Math.max(256, 2 ** Math.ceil(Math.log2(positions)));
      feeds = {};
      for (const [index, rope] of config.ropes.entries()) {
        const tables = ropeTables(frequencies[index] as Float32Array, count, rotaryMagnitude(rope));
        const shape = [count, rotaryPairs(rope)];
        feeds[names.rope(index, "cos")] = floats(tables.cos, shape);
        feeds[names.rope(index, "sin")] = floats(tables.sin, shape);
      }
    }
    return feeds;
  };
}

/** The masks that the config's blocks take; the one over new tokens is kept until their number changes. */
function createMaskFeeds(config: DecoderConfig): (pass: DecoderPass) => Feeds {
  const kinds = [...maskKinds(config)];
  const group = config.headCount / config.kvHeadCount;
  let kept: Tensor | null = null;
  return ({ tokenIds, rows, prefix, suffix }) => {
    const tokens = tokenIds.length / rows;
    const { length: suffixLength, capacity: suffixCapacity } = suffix;
    const spans = { prefix: prefix.length, suffixLength, suffixCapacity, tokens };
    const feeds: Feeds = {};
    for (const kind of kinds) {
      if (kind === "spans") {
        if (kept?.dims[1] !== tokens) kept = floats(newTokenMask(tokens, group), [group * tokens, tokens]);
        feeds[names.newMask] = kept;
        feeds[names.suffixMask] = floats(suffixMask(spans), [suffixCapacity]);
      } else {
        const mask = wholeMask(spans, group, kind === "sliding" ? config.window : null);
        feeds[names.wholeMask(kind)] = floats(mask, [group * tokens, mask.length / (group * tokens)]);
      }
    }
    return feeds;
  };
}
