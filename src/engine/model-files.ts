import { SepError } from "../errors.ts";
import { hashBytes } from "../formats/hash-bytes.ts";
import { parseSafetensors, type SafetensorsDtype } from "../formats/safetensors.ts";
import { decodeTensor } from "../formats/tensor-bytes.ts";
import type { Architecture } from "./graph/architectures/architecture.ts";
import { findArchitecture } from "./graph/architectures/registry.ts";
import { checkConfigSizes, checkHeads } from "./graph/check-config.ts";
import { type ConfigReader, createConfigReader } from "./graph/config-reader.ts";
import type { DecoderConfig } from "./graph/decoder-config.ts";
import { type ByteSource, memorySource, type StoredWeight, type WeightIndex } from "./graph/weights.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { findChatTemplate } from "./tokenizer/chat-template.ts";
import { createTextTokenizer, type TextTokenizer } from "./tokenizer/text-tokenizer.ts";

/** The content of a model's folder in Hugging Face format. */
export interface ModelFiles {
  /** `config.json` */
  readonly config: Uint8Array;
  /** `tokenizer.json` */
  readonly tokenizer: Uint8Array;
  /** `tokenizer_config.json` */
  readonly tokenizerConfig?: Uint8Array | undefined;
  /** `chat_template.jinja`; older models have it in `tokenizer_config.json`. */
  readonly chatTemplate?: Uint8Array | undefined;
  /** `generation_config.json` */
  readonly generationConfig?: Uint8Array | undefined;
  /** `model.safetensors`, or all of its shards. */
  readonly weights: readonly ByteSource[];
}

/** What the files say of the graph, and its weights. */
interface ReadWeights {
  /** The weight files, by name. */
  readonly contents: readonly NamedBytes[];
  readonly weights: WeightIndex;
  /** `config.json` */
  readonly stated: ConfigReader;
  readonly architecture: Architecture;
  readonly config: DecoderConfig;
}

/** @throws SepError `bad-checkpoint`, `bad-artifact`, `unsupported-model` */
export async function readWeights(
  { castsHalf = true }: Pick<Runtime, "castsHalf">,
  files: Pick<ModelFiles, "config" | "weights">,
): Promise<ReadWeights> {
  const contents = await Promise.all(
    files.weights.map(async (source) => ({ name: source.name, bytes: await source.readAll() })),
  );
  contents.sort((a, b) => (a.name < b.name ? -1 : 1));
  const weights = indexWeights(contents, castsHalf);
  const stated = readConfig("config.json", files.config);
  const architecture = findArchitecture(stated);
  checkConfigSizes(stated, weights);
  const config = checkHeads(architecture.readConfig(stated), stated.path);
  return { contents, weights, stated, architecture, config };
}

interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** @param keepsHalf whether half-precision weights stay as they are; else they are widened here */
function indexWeights(contents: readonly NamedBytes[], keepsHalf: boolean): WeightIndex {
  const weights = new Map<string, StoredWeight>();
  for (const { name, bytes } of contents) {
    const source = memorySource(name, bytes);
    for (const [tensor, { dtype, shape, begin, end }] of parseSafetensors(bytes, name).tensors)
      weights.set(
        tensor,
        keepsHalf || dtype === "F32"
          ? { dtype, shape, source, byteOffset: begin, byteLength: end - begin }
          : widen(tensor, { dtype, shape }, bytes.slice(begin, end)),
      );
  }
  return weights;
}

function widen(
  name: string,
  { dtype, shape }: { readonly dtype: SafetensorsDtype; readonly shape: readonly number[] },
  bytes: Uint8Array,
): StoredWeight {
  const { buffer, byteLength } = decodeTensor(bytes, dtype);
  const source = memorySource(name, new Uint8Array(buffer));
  return { dtype: "F32", shape, source, byteOffset: 0, byteLength };
}

export async function openTokenizer(files: ModelFiles): Promise<TextTokenizer> {
  const path = "tokenizer.json";
  const { chat_template: stored, ...config } =
    files.tokenizerConfig === undefined ? {} : parseObject("tokenizer_config.json", files.tokenizerConfig);
  return createTextTokenizer({
    path,
    sha256: await hashBytes(files.tokenizer),
    tokenizer: parseObject(path, files.tokenizer),
    config,
    chatTemplate:
      files.chatTemplate === undefined
        ? findChatTemplate(stored)
        : new TextDecoder().decode(files.chatTemplate),
  });
}

export const readConfig = (name: string, bytes: Uint8Array): ConfigReader =>
  createConfigReader(name, parseObject(name, bytes));

function parseObject(name: string, bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new SepError("bad-checkpoint", `${name} is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new SepError("bad-checkpoint", `${name} is not a JSON object.`);
}
