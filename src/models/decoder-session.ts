import { InferenceSession, Tensor } from "onnxruntime-node";
import { DECODER_TENSORS as names } from "./build-decoder.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { KvBlock, KvStep } from "./kv-block.ts";
import { inverseFrequencies, ropeTables } from "./rope.ts";

/** One forward pass over S new tokens in each of B rows. */
export interface DecoderPass {
  /** [B * S] token ids, row after row. */
  readonly tokenIds: readonly number[];
  /** B */
  readonly rows: number;
  /** What all rows share: one row, no unused capacity. */
  readonly prefix: KvBlock;
  /** Each row's own tokens so far: B rows. */
  readonly suffix: KvBlock;
  /** Which of the B * S tokens to predict the next token of. */
  readonly logitRows: readonly number[];
  /** Which of the B * S tokens to read the residual stream at. */
  readonly traceRows: readonly number[];
  /** Residual layers to read, 0 .. L. */
  readonly layers: readonly number[];
  /** Also read the stream after the final norm. */
  readonly finalNorm: boolean;
  /** Return the new keys and values; a pass that nothing follows does without the copy. */
  readonly keepKv: boolean;
}

export interface DecoderPassResult {
  /** [logitRows, V] */
  readonly logits: Float32Array;
  /** Per entry of `layers`: [traceRows, D] */
  readonly residuals: readonly Float32Array[];
  /** [traceRows, D], or null when not asked for. */
  readonly finalNorm: Float32Array | null;
  readonly kv: KvStep | null;
}

/** A decoder graph loaded in onnxruntime. Several passes may run at the same time. */
export interface DecoderSession extends AsyncDisposable {
  readonly config: DecoderConfig;
  run(pass: DecoderPass): Promise<DecoderPassResult>;
}

/** Finite, so that a row of masked scores cannot become NaN, and far below any real score. */
const MASKED = -1e30;
/** onnxruntime severity: errors only, so that its warnings stay off the user's screen. */
const LOG_ERRORS_ONLY = 3;

/** @param threads onnxruntime's threads within one pass */
export async function openDecoderSession(
  modelPath: string,
  config: DecoderConfig,
  { threads }: { readonly threads: number },
): Promise<DecoderSession> {
  const session = await InferenceSession.create(modelPath, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    logSeverityLevel: LOG_ERRORS_ONLY,
  });
  const rope = createRopeFeeds(config);
  const causalMask = createCausalMasks(config.headCount / config.kvHeadCount);

  return {
    config,
    async run(pass) {
      const feeds = { ...cacheFeeds(config, pass), ...tokenFeeds(pass) };
      const tokens = pass.tokenIds.length / pass.rows;
      Object.assign(feeds, rope(pass.prefix.length + pass.suffix.length + tokens));
      feeds[names.newMask] = causalMask(tokens);
      const fetched = await session.run(feeds, fetchNames(config, pass));
      const read = (name: string): Float32Array => (fetched[name] as Tensor).data as Float32Array;
      return {
        logits: pass.logitRows.length > 0 ? read(names.logits) : new Float32Array(0),
        residuals: pass.traceRows.length > 0 ? pass.layers.map((layer) => read(names.residual(layer))) : [],
        finalNorm: pass.finalNorm && pass.traceRows.length > 0 ? read(names.finalNorm) : null,
        kv: pass.keepKv ? { tokens, ...readKv(config, read) } : null,
      };
    },
    [Symbol.asyncDispose]: () => session.release(),
  };
}

function fetchNames(config: DecoderConfig, pass: DecoderPass): string[] {
  const wanted: string[] = pass.logitRows.length > 0 ? [names.logits] : [];
  if (pass.traceRows.length > 0) {
    wanted.push(...pass.layers.map(names.residual));
    if (pass.finalNorm) wanted.push(names.finalNorm);
  }
  if (pass.keepKv) {
    for (let layer = 0; layer < config.blockCount; layer++) {
      wanted.push(names.cache("new", layer, "k"), names.cache("new", layer, "v"));
    }
  }
  return wanted;
}

function readKv(config: DecoderConfig, read: (name: string) => Float32Array): Omit<KvStep, "tokens"> {
  const half = (side: "k" | "v"): Float32Array[] =>
    Array.from({ length: config.blockCount }, (_, layer) => read(names.cache("new", layer, side)));
  return { keys: half("k"), values: half("v") };
}

function tokenFeeds({
  tokenIds,
  rows,
  prefix,
  suffix,
  traceRows,
  logitRows,
}: DecoderPass): Record<string, Tensor> {
  const tokens = tokenIds.length / rows;
  const first = prefix.length + suffix.length;
  const positions = new BigInt64Array(tokenIds.length);
  for (let i = 0; i < positions.length; i++) positions[i] = BigInt(first + (i % tokens));
  const suffixMask = new Float32Array(suffix.capacity).fill(MASKED, suffix.length);
  return {
    [names.tokenIds]: integers(tokenIds, [rows, tokens]),
    [names.positionIds]: new Tensor("int64", positions, [rows, tokens]),
    [names.suffixMask]: new Tensor("float32", suffixMask, [suffix.capacity]),
    [names.traceRows]: integers(traceRows, [traceRows.length]),
    [names.logitRows]: integers(logitRows, [logitRows.length]),
  };
}

const integers = (values: readonly number[], dimensions: readonly number[]): Tensor =>
  new Tensor("int64", BigInt64Array.from(values, BigInt), dimensions);

function cacheFeeds(config: DecoderConfig, { prefix, suffix }: DecoderPass): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  const add = (kind: "prefix" | "suffix", block: KvBlock): void => {
    const shape = [config.kvHeadCount, block.rows, block.capacity, config.headSize];
    for (let layer = 0; layer < config.blockCount; layer++) {
      feeds[names.cache(kind, layer, "k")] = new Tensor("float32", block.keys[layer] as Float32Array, shape);
      feeds[names.cache(kind, layer, "v")] = new Tensor(
        "float32",
        block.values[layer] as Float32Array,
        shape,
      );
    }
  };
  add("prefix", prefix);
  add("suffix", suffix);
  return feeds;
}

/** Rotary tables that grow with the longest position asked for. */
function createRopeFeeds(config: DecoderConfig): (positions: number) => Record<string, Tensor> {
  const frequencies = inverseFrequencies(config.rope, config.headSize);
  let count = 0;
  let feeds: Record<string, Tensor> = {};
  return (positions) => {
    if (positions > count) {
      count = Math.max(256, 2 ** Math.ceil(Math.log2(positions)));
      const { cos, sin } = ropeTables(frequencies, count);
      const shape = [count, config.headSize / 2];
      feeds = {
        [names.ropeCos]: new Tensor("float32", cos, shape),
        [names.ropeSin]: new Tensor("float32", sin, shape),
      };
    }
    return feeds;
  };
}

/** [group * S, S] masks in which new token s sees new tokens 0 .. s; the last size is kept. */
function createCausalMasks(group: number): (tokens: number) => Tensor {
  let kept: Tensor | null = null;
  return (tokens) => {
    if (kept === null || kept.dims[1] !== tokens) {
      const mask = new Float32Array(group * tokens * tokens);
      for (let row = 0; row < group * tokens; row++) {
        mask.fill(MASKED, row * tokens + (row % tokens) + 1, (row + 1) * tokens);
      }
      kept = new Tensor("float32", mask, [group * tokens, tokens]);
    }
    return kept;
  };
}
