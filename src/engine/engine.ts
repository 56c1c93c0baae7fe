/**
 * The entry `semantic-entropy-probes/engine`: what a page needs to run a model in a browser. Nothing here needs Node.
 * @module engine
 */

import { hashBytes } from "../formats/hash-bytes.ts";
import type { BatchLimits } from "./generate/batch.ts";
import { readEndTokens, readGenerationDefaults } from "./generate/sampler-settings.ts";
import { buildDecoder } from "./graph/build-decoder.ts";
import { createLanguageModel, type LanguageModel } from "./language-model.ts";
import { type ModelFiles, openTokenizer, readConfig, readWeights } from "./model-files.ts";
import { DEVICES, type DeviceName } from "./runtime/device.ts";
import type { Runtime } from "./runtime/runtime.ts";
import { openDecoderSession } from "./session/decoder-session.ts";

export type { TextSpan } from "../text/find-sentences.ts";
export type { AnswerExtent } from "./generate/answer-end.ts";
export {
  type EndEvent,
  type GenerateOptions,
  type GenerationEvent,
  type GenerationPrompt,
  generate,
  type RankedToken,
  type SampleAnswersOptions,
  type SampledAnswer,
  sampleAnswers,
  type TokenEvent,
} from "./generate/generate.ts";
export type { PrefilledPrompt, PrefillOptions, PromptTokens } from "./generate/prefill.ts";
export {
  type GenerationDefaults,
  type SamplerSettings,
  WHOLE_DISTRIBUTION,
} from "./generate/sampler-settings.ts";
export {
  type GeneratedAnswer,
  type Reasoning,
  splitReasoning,
  type ThinkStatus,
} from "./generate/split-reasoning.ts";
export type { DecoderConfig } from "./graph/decoder-config.ts";
export { type ByteReader, type ByteSource, memorySource } from "./graph/weights.ts";
export type { LanguageModel, ModelName, ModelProvenance, Trace, TraceOptions } from "./language-model.ts";
export { type LogitLens, openLogitLens } from "./logit-lens.ts";
export type { ModelFiles } from "./model-files.ts";
export {
  type AnswerPlaces,
  indicesOf,
  type PlacedToken,
  POSITION_INDICES,
  type PositionIndices,
  placeAnswer,
  type TokenSpan,
  type TracePosition,
} from "./places.ts";
export type { LayerName } from "./resolve-layers.ts";
export { DEVICE_NAMES, type DeviceName, MODEL_DTYPES, type ModelDtype } from "./runtime/device.ts";
export {
  canWaitForGpu,
  MOST_WEB_WEIGHTS,
  type OpenOrtWebOptions,
  openOrtWeb,
  type WebBuild,
} from "./runtime/ort-web.ts";
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

export interface OpenModelOptions {
  /** What the model is called in everything that is made with it. */
  readonly id: string;
  /** That one pass is split among; the runtime must have them. */
  readonly threads?: number;
  /** The CPU, or a GPU that the runtime has. */
  readonly device?: DeviceName;
}

/**
 * Opens a language model from bytes, in float32. Its weights stay in memory twice: as they are given, and as
 * the runtime has them. Only open files that you trust: nothing bounds what a tokenizer or a chat template does.
 * @throws SepError `bad-checkpoint`, `bad-artifact`, `bad-tokenizer`, `unsupported-model`
 */
export async function openModel(
  runtime: Runtime,
  files: ModelFiles,
  { id, threads = 1, device = "cpu" }: OpenModelOptions,
): Promise<LanguageModel> {
  const { contents, weights, stated, architecture, config } = await readWeights(runtime, files);
  const generation =
    files.generationConfig === undefined
      ? null
      : readConfig("generation_config.json", files.generationConfig);
  const { operators } = DEVICES[device];
  const { model, embeddingTable } = buildDecoder(architecture, config, weights, { operators });
  const tokenizer = await openTokenizer(files);
  const hashes = await Promise.all([files.config, ...contents.map(({ bytes }) => bytes)].map(hashBytes));
  return createLanguageModel({
    provenance: {
      id,
      revision: null,
      weights_sha256: await hashBytes(new TextEncoder().encode(hashes.join("\n"))),
      tokenizer_sha256: tokenizer.sha256,
      dtype: "float32",
      device,
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
    session: await openDecoderSession(runtime, model, config, { threads, device, embeddingTable }),
  });
}

/** A page has one thread, and less memory than a server. */
const PAGE_LIMITS: BatchLimits = { rows: 16, kvBytes: 2 ** 28 };
