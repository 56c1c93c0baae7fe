import { SepError } from "../../errors.ts";
import type { DecoderConfig } from "../graph/decoder-config.ts";
import { DECODER_TENSORS as names } from "../graph/decoder-tensors.ts";
import type { StoredWeight } from "../graph/weights.ts";
import type { LayerStates } from "../layer-states.ts";
import { blameDevice, type DeviceName, requireContent } from "../runtime/device.ts";
import { type GraphModel, type Runtime, readFloats, type Tensor } from "../runtime/runtime.ts";
import {
  createDecoderFeeds,
  type DecoderPass,
  openEmbeddingRows,
  pastLengths,
  readsWholeLogits,
} from "./decoder-feeds.ts";
import { kvOutputs } from "./kv-block.ts";
import { type DrawnSums, readVocabulary, VOCABULARY_OUTPUTS } from "./vocabulary.ts";

export interface DecoderPassResult {
  /** [logitRows, V]; empty where whole logits were not asked for. */
  readonly logits: Float32Array;
  /** [logitRows] */
  readonly predicted: readonly DrawnSums[];
  /** Per entry of `layers`: [traceRows, D]; the caller's alone. */
  readonly residuals: LayerStates;
  /** [traceRows, D], or null when not asked for. */
  readonly finalNorm: Float32Array | null;
}

/** A decoder graph that is loaded. Several passes may run at the same time. */
export interface DecoderSession extends AsyncDisposable {
  readonly config: DecoderConfig;
  /** @throws SepError `prompt-too-long` when a token lies beyond the model's context */
  run(pass: DecoderPass): Promise<DecoderPassResult>;
}

interface OpenDecoderOptions {
  /** That one pass is split among. */
  readonly threads: number;
  readonly device?: DeviceName;
  /** Where the embeddings are if the graph wants them fed. */
  readonly embeddingTable?: StoredWeight | null;
  /** Whether the graph multiplies integers. */
  readonly quantised?: boolean;
}

/** @throws SepError `device-unavailable` when a device other than the CPU fails, here or in a pass */
export async function openDecoderSession(
  runtime: Runtime,
  model: GraphModel,
  config: DecoderConfig,
  { threads, device = "cpu", embeddingTable = null, quantised = false }: OpenDecoderOptions,
): Promise<DecoderSession> {
  const session = await runtime
    .createSession(model, { threads, device, multipliesIntegers: quantised })
    .catch((error) => blameDevice(device, "did not load the model", error));
  const embeddings = embeddingTable && (await openEmbeddingRows(embeddingTable));
  const createFeeds = createDecoderFeeds(config, embeddings);

  return {
    config,
    async run(pass) {
      const tokens = pass.tokenIds.length / pass.rows;
      requirePositions(config, Math.max(...pastLengths(config, pass)) + tokens);
      const outputs = await session
        .run(await createFeeds(pass), outputTensors(config, pass))
        .catch((error) => blameDevice(device, "failed in a forward pass", error));
      const read = (name: string): Float32Array => readFloats(outputs, name);
      const readSum = (name: string): Float32Array => requireContent(device, read(name));
      // a row of the embeddings may be all zeros; what has gone through a block is not
      const readResidual = (layer: number): Float32Array =>
        (layer === 0 ? read : readSum)(names.residual(layer));
      if (pass.logitRows.length > 0) readSum(names.likelyLogits);
      return {
        logits: readsWholeLogits(pass) ? readSum(names.logits) : new Float32Array(0),
        predicted: pass.logitRows.length > 0 ? readVocabulary(outputs, pass.logitRows.length) : [],
        residuals: pass.traceRows.length > 0 ? pass.layers.map(readResidual) : [],
        finalNorm: pass.finalNorm && pass.traceRows.length > 0 ? readSum(names.finalNorm) : null,
      };
    },
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      await embeddings?.[Symbol.asyncDispose]();
    },
  };
}

/**
 * A session that opens at its first pass: a model whose work is done on other threads never fills memory on this one.
 * @param open called once; a failure is the failure of every pass
 */
export function createLazySession(
  config: DecoderConfig,
  open: () => Promise<DecoderSession>,
): DecoderSession {
  let opened: Promise<DecoderSession> | null = null;
  return {
    config,
    async run(pass) {
      opened ??= open();
      return (await opened).run(pass);
    },
    async [Symbol.asyncDispose]() {
      // one that did not open has told the pass that opened it, and holds nothing
      const session = await opened?.catch(() => null);
      await session?.[Symbol.asyncDispose]();
    },
  };
}

/** Beyond its context a model's positions are not defined, or turn by other rules than the graph's. */
function requirePositions({ maxPositions, modelType }: DecoderConfig, needed: number): void {
  if (needed <= maxPositions) return;
  throw new SepError(
    "prompt-too-long",
    `Got ${needed} tokens, but this ${modelType} model takes ${maxPositions}. Shorten the text.`,
  );
}

/** The outputs that a pass wants: where they are written, or null where the runtime makes room for them. */
function outputTensors(config: DecoderConfig, pass: DecoderPass): Record<string, Tensor | null> {
  const wanted: string[] = pass.logitRows.length > 0 ? [...VOCABULARY_OUTPUTS] : [];
  if (readsWholeLogits(pass)) wanted.push(names.logits);
  // not written into arrays of ours: onnxruntime's Node binding makes a copy of each output in any case
  if (pass.traceRows.length > 0) {
    wanted.push(...pass.layers.map(names.residual));
    if (pass.finalNorm) wanted.push(names.finalNorm);
  }
  return {
    ...Object.fromEntries(wanted.map((name) => [name, null])),
    ...(pass.kv === null ? {} : kvOutputs(config, pass.kv)),
  };
}
