import type { Tensor } from "onnxruntime-node";
import { weightFiles } from "../../checkpoint/checkpoint.ts";
import { findCheckpoint } from "../../checkpoint/find-checkpoint.ts";
import { POCKET_MODEL } from "../../checkpoint/locate-checkpoint.ts";
import { createRng } from "../../math/rng.ts";
import { findArchitecture } from "../graph/architectures/registry.ts";
import { buildDecoder } from "../graph/build-decoder.ts";
import type { DecoderConfig } from "../graph/decoder-config.ts";
import { createDecoderFeeds } from "../session/decoder-feeds.ts";
import type { DecoderPass } from "../session/decoder-session.ts";
import { emptyKvBlock, type KvBlock } from "../session/kv-block.ts";
import { DEVICES, type DeviceName } from "./device.ts";
import { createGraphFolder } from "./graph-folder.ts";

/** What a device is tried with; the files are there until it is disposed of. */
export interface PreparedTrial extends AsyncDisposable {
  /** The embedded model as the device gets it. */
  readonly modelPath: string;
  /** And as the processor gets it. */
  readonly referencePath: string;
  /** A pass is the graph's inputs by name, as plain data. */
  readonly passes: readonly (readonly (readonly [string, PlainTensor])[])[];
}

export type PlainTensor = Pick<Tensor, "type" | "data" | "dims">;

/** The embedded model, a prefill and a decoding step. */
export async function prepareTrial(device: DeviceName): Promise<PreparedTrial> {
  const checkpoint = await findCheckpoint(POCKET_MODEL);
  const architecture = findArchitecture(checkpoint.config);
  const config = architecture.readConfig(checkpoint.config);
  const createFolder = (name: DeviceName) => {
    const { operators } = DEVICES[name];
    const { model } = buildDecoder(architecture, config, checkpoint.weights, { operators });
    return createGraphFolder(model, weightFiles(checkpoint.weights));
  };
  const reference = await createFolder("cpu");
  const own = await createFolder(device);
  const createFeeds = createDecoderFeeds(config);
  return {
    modelPath: own.modelPath,
    referencePath: reference.modelPath,
    passes: [prefill(config), decoding(config)].map((pass) =>
      Object.entries(createFeeds(pass)).map(([name, { type, data, dims }]) => [name, { type, data, dims }]),
    ),
    async [Symbol.asyncDispose]() {
      await own[Symbol.asyncDispose]();
      await reference[Symbol.asyncDispose]();
    },
  };
}

/** A prompt: nothing comes before it. */
function prefill(config: DecoderConfig): DecoderPass {
  const tokenIds = Array.from({ length: 12 }, (_, i) => (i * 37 + 11) % config.vocabularySize);
  return {
    ...READ_ALL,
    tokenIds,
    rows: 1,
    prefix: emptyKvBlock(config, 1),
    suffix: emptyKvBlock(config, 1),
    logitRows: tokenIds.map((_, i) => i),
    traceRows: tokenIds.map((_, i) => i),
  };
}

/** The next token of three samples of one prompt. */
function decoding(config: DecoderConfig): DecoderPass {
  const rows = [0, 1, 2];
  return {
    ...READ_ALL,
    tokenIds: rows.map((row) => row + 5),
    rows: rows.length,
    prefix: inventKv(config, { rows: 1, length: 7, capacity: 7 }),
    suffix: inventKv(config, { rows: rows.length, length: 3, capacity: 8 }),
    logitRows: rows,
    traceRows: rows,
  };
}

/** The graph computes every output; which of them are fetched is the session's business. */
const READ_ALL = { layers: [], finalNorm: true, keepKv: true };

/** Keys and values of the size that normed heads have. */
function inventKv(
  { blockCount, kvHeadCount, headSize }: DecoderConfig,
  sizes: Pick<KvBlock, "rows" | "length" | "capacity">,
): KvBlock {
  const rng = createRng("trial", sizes.rows, sizes.capacity);
  const invent = (): Float32Array[] =>
    Array.from({ length: blockCount }, () =>
      Float32Array.from(
        { length: kvHeadCount * sizes.rows * sizes.capacity * headSize },
        () => 2 * rng.next() - 1,
      ),
    );
  return { ...sizes, keys: invent(), values: invent() };
}
