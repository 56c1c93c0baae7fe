import { InferenceSession, type Tensor } from "onnxruntime-node";
import type { StoredWeight } from "../../checkpoint/weight-index.ts";
import { SepError } from "../../errors.ts";
import type { DecoderConfig } from "../graph/decoder-config.ts";
import { DECODER_TENSORS as names } from "../graph/decoder-tensors.ts";
import { DEVICES, type DeviceName } from "../runtime/device.ts";
import { blameDevice, requireContent } from "../runtime/device-error.ts";
import { exactIntegerSettings } from "../runtime/exact-integers.ts";
import { createDecoderFeeds } from "./decoder-feeds.ts";
import { openEmbeddingRows } from "./embedding-rows.ts";
import type { KvBlock, KvStep } from "./kv-block.ts";

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
  /** @throws SepError `prompt-too-long` when a token lies beyond the model's context */
  run(pass: DecoderPass): Promise<DecoderPassResult>;
}

export interface OpenDecoderOptions {
  readonly threads: number;
  readonly device?: DeviceName;
  readonly embeddingTable?: StoredWeight | null;
  readonly quantised?: boolean;
}

/** onnxruntime severity: errors only, so that its warnings stay off the user's screen. */
const LOG_ERRORS_ONLY = 3;

/**
 * @param threads onnxruntime's threads within one pass
 * @param embeddingTable where the embeddings are if the graph wants them fed
 * @param quantised whether the graph has products of integers
 * @throws SepError `device-unavailable` when a device other than the processor fails, here or in a pass
 */
export async function openDecoderSession(
  modelPath: string,
  config: DecoderConfig,
  { threads, device = "cpu", embeddingTable = null, quantised = false }: OpenDecoderOptions,
): Promise<DecoderSession> {
  const { provider, environment } = DEVICES[device];
  Object.assign(process.env, environment);
  const opening = InferenceSession.create(modelPath, {
    executionProviders: [provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    logSeverityLevel: LOG_ERRORS_ONLY,
    ...(quantised ? { extra: { session: await exactIntegerSettings() } } : {}),
  });
  const session = await opening.catch((error) => blameDevice(device, "did not load the model", error));
  const embeddings = embeddingTable && (await openEmbeddingRows(embeddingTable));
  const createFeeds = createDecoderFeeds(config, embeddings);

  return {
    config,
    async run(pass) {
      const tokens = pass.tokenIds.length / pass.rows;
      requirePositions(config, pass.prefix.length + pass.suffix.length + tokens);
      const fetched = await session
        .run(createFeeds(pass), fetchNames(config, pass))
        .catch((error) => blameDevice(device, "failed in a forward pass", error));
      const read = (name: string): Float32Array => (fetched[name] as Tensor).data as Float32Array;
      const readSum = (name: string): Float32Array => requireContent(device, read(name));
      // a row of the embeddings may be all zeros; what has gone through a block is not
      const readResidual = (layer: number): Float32Array =>
        (layer === 0 ? read : readSum)(names.residual(layer));
      return {
        logits: pass.logitRows.length > 0 ? readSum(names.logits) : new Float32Array(0),
        residuals: pass.traceRows.length > 0 ? pass.layers.map(readResidual) : [],
        finalNorm: pass.finalNorm && pass.traceRows.length > 0 ? readSum(names.finalNorm) : null,
        kv: pass.keepKv ? { tokens, ...readKv(config, read) } : null,
      };
    },
    async [Symbol.asyncDispose]() {
      await session.release();
      await embeddings?.[Symbol.asyncDispose]();
    },
  };
}

/** Beyond its context a model's positions are not defined, or turn by other rules than the graph's. */
function requirePositions({ maxPositions, modelType }: DecoderConfig, needed: number): void {
  if (needed <= maxPositions) return;
  throw new SepError(
    "prompt-too-long",
    `Got ${needed} tokens, and this ${modelType} model takes ${maxPositions}. Shorten the text.`,
  );
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
