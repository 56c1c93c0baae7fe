/**
 * The entry `semantic-entropy-probes/engine`: what a page needs to run a model in a browser. Nothing here needs Node.
 * @module engine
 */

import { SepError } from "../errors.ts";
import { hashBytes } from "../formats/hash-bytes.ts";
import { parseSafetensors } from "../formats/safetensors.ts";
import type { BatchLimits } from "./generate/batch.ts";
import { readEndTokens, readGenerationDefaults } from "./generate/sampler-settings.ts";
import { findArchitecture } from "./graph/architectures/registry.ts";
import { buildDecoder } from "./graph/build-decoder.ts";
import { checkConfigSizes, checkHeads } from "./graph/check-config.ts";
import { type ConfigReader, createConfigReader } from "./graph/config-reader.ts";
import { type ByteSource, memorySource, type StoredWeight, type WeightIndex } from "./graph/weights.ts";
import { createLanguageModel, type LanguageModel } from "./language-model.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { openDecoderSession } from "./session/decoder-session.ts";
import { findChatTemplate } from "./tokenizer/chat-template.ts";
import { createTextTokenizer, type TextTokenizer } from "./tokenizer/text-tokenizer.ts";

export {
  type EndEvent,
  type GenerateOptions,
  type GenerationEvent,
  type GenerationPrompt,
  generate,
  type SampleAnswersOptions,
  type SampledAnswer,
  sampleAnswers,
  type TokenEvent,
} from "./generate/generate.ts";
export type { PrefilledPrompt, PrefillOptions, PromptTokens } from "./generate/prefill.ts";
export type { GenerationDefaults, SamplerSettings } from "./generate/sampler-settings.ts";
export type { DecoderConfig } from "./graph/decoder-config.ts";
export { type ByteReader, type ByteSource, memorySource } from "./graph/weights.ts";
export type { LanguageModel, ModelName, ModelProvenance, Trace, TraceOptions } from "./language-model.ts";
export type { LayerName } from "./resolve-layers.ts";
export { DEVICE_NAMES, type DeviceName, MODEL_DTYPES, type ModelDtype } from "./runtime/device.ts";
export { type OpenOrtWebOptions, openOrtWeb } from "./runtime/ort-web.ts";
export type {
  GraphModel,
  OnnxModel,
  Runtime,
  Session,
  SessionInput,
  SessionOptions,
  Tensor,
  TensorArray,
  Tensors,
  TensorType,
} from "./runtime/runtime.ts";
export { buildPrompt, type ChatTurns, type Prompt, type PromptOptions } from "./tokenizer/build-prompt.ts";
export type { ChatMessage, ChatOptions, RenderChat } from "./tokenizer/chat-template.ts";
export {
  PLAIN_PROMPT_FORMATS,
  type PromptFormat,
  type PromptTemplate,
  type Shot,
} from "./tokenizer/prompt-format.ts";
export type { AddedToken, TextTokenizer } from "./tokenizer/text-tokenizer.ts";

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

export interface OpenModelOptions {
  /** What the model is called in everything that is made with it. */
  readonly id: string;
  /** That one pass is split among; the runtime must have them. */
  readonly threads?: number;
}

/**
 * Opens a language model from bytes, in float32 on the CPU. Its weights stay in memory twice: as they are given, and as
 * the runtime has them. Only open files that you trust: nothing bounds what a tokenizer or a chat template does.
 * @throws SepError `bad-checkpoint`, `bad-artefact`, `bad-tokenizer`, `unsupported-model`
 */
export async function openModel(
  runtime: Runtime,
  files: ModelFiles,
  { id, threads = 1 }: OpenModelOptions,
): Promise<LanguageModel> {
  const contents = await Promise.all(
    files.weights.map(async (source) => ({ name: source.name, bytes: await source.readAll() })),
  );
  contents.sort((a, b) => (a.name < b.name ? -1 : 1));
  const weights = indexWeights(contents);
  const stated = readConfig("config.json", files.config);
  const generation =
    files.generationConfig === undefined
      ? null
      : readConfig("generation_config.json", files.generationConfig);
  const architecture = findArchitecture(stated);
  checkConfigSizes(stated, weights);
  const config = checkHeads(architecture.readConfig(stated), stated.path);
  const { model, embeddingTable } = buildDecoder(architecture, config, weights);
  const tokenizer = await openTokenizer(files);
  const hashes = await Promise.all([files.config, ...contents.map(({ bytes }) => bytes)].map(hashBytes));
  return createLanguageModel({
    provenance: {
      id,
      revision: null,
      weights_sha256: await hashBytes(new TextEncoder().encode(hashes.join("\n"))),
      tokenizer_sha256: tokenizer.sha256,
      dtype: "float32",
      device: "cpu",
    },
    path: id,
    config,
    tokenizer,
    endTokenIds: readEndTokens({ generation, config: stated, tokenizer }),
    generationDefaults: readGenerationDefaults(generation),
    workers: 1,
    mostWorkers: 1,
    threadsPerWorker: threads,
    threadsPerPass: threads,
    limits: PAGE_LIMITS,
    needsTrial: false,
    weightBytes: [...weights.values()].reduce((sum, { byteLength }) => sum + byteLength, 0),
    session: await openDecoderSession(runtime, model, config, { threads, embeddingTable }),
  });
}

/** A page has one thread, and less memory than a server. */
const PAGE_LIMITS: BatchLimits = { rows: 16, kvBytes: 2 ** 28 };

interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

function indexWeights(contents: readonly NamedBytes[]): WeightIndex {
  const weights = new Map<string, StoredWeight>();
  for (const { name, bytes } of contents) {
    const source = memorySource(name, bytes);
    for (const [tensor, { dtype, shape, begin, end }] of parseSafetensors(bytes, name).tensors)
      weights.set(tensor, { dtype, shape, source, byteOffset: begin, byteLength: end - begin });
  }
  return weights;
}

async function openTokenizer(files: ModelFiles): Promise<TextTokenizer> {
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

const readConfig = (name: string, bytes: Uint8Array): ConfigReader =>
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
