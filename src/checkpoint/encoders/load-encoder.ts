import { join } from "node:path";
import { createEncoder, type Encoder } from "../../engine/encoders/encoder.ts";
import { openBuiltEncoder, openExportedEncoder } from "../../engine/encoders/open-encoder-graph.ts";
import { type ConfigReader, createConfigReader } from "../../engine/graph/config-reader.ts";
import type { ModelName } from "../../engine/language-model.ts";
import { readMachine } from "../../engine/runtime/machine.ts";
import { readTextTemplate } from "../../engine/tokenizer/text-template.ts";
import { SepError } from "../../errors.ts";
import { fingerprintCheckpoint } from "../checkpoint.ts";
import { drain } from "../hub/drain.ts";
import { isGgufPath } from "../locate-checkpoint.ts";
import { readJsonFile } from "../read-json-file.ts";
import { openTokenizer, readTokenizerFiles } from "../tokenizer/load-text-tokenizer.ts";
import { chooseEncoderFiles } from "./encoder-files.ts";
import { findEncoderWeights } from "./find-encoder-weights.ts";
import { type LocateEncoderOptions, locateEncoder } from "./locate-encoder.ts";
import { detectProcessor } from "./quantised-exports.ts";
import { readMaxTokens } from "./read-max-tokens.ts";

export interface LoadEncoderOptions extends Omit<LocateEncoderOptions, "use"> {
  /** Threads of a forward pass; all that this process may use by default. */
  readonly threads?: number | undefined;
  /** Longest input, if it is to be shorter than the model's own. */
  readonly maxTokens?: number | undefined;
  /** What to call a model that was located before, when the reference is only where it is. */
  readonly name?: ModelName | undefined;
}

/** What a use makes of an encoder's folder before its graph is opened. */
export interface EncoderPlan {
  readonly labelCount: number | null;
  /** A limit of this use beside the model's. */
  readonly maxTokens: number | null;
}

/** An encoder, and what its use read from its folder. */
export interface LoadedEncoder<Plan extends EncoderPlan> {
  readonly encoder: Encoder;
  readonly plan: Plan;
}

/**
 * Loads an encoder for a use.
 * @param reference a folder, or a model of the hub
 * @param prepare reads what the use needs from the folder
 * @throws SepError `bad-checkpoint`, `bad-tokenizer`, `hostile-model`, `unsupported-model`, `no-safetensors`, and those of
 *   `locateCheckpoint`
 */
export async function loadEncoder<Plan extends EncoderPlan>(
  reference: string,
  options: LocateEncoderOptions & LoadEncoderOptions,
  prepare: (config: ConfigReader, folder: string) => Promise<Plan>,
): Promise<LoadedEncoder<Plan>> {
  const { use, dtype = "float32", weights = "auto", threads = readMachine().threads, name } = options;
  const processor = options.processor ?? (await detectProcessor());
  const { path: folder, commit } = await drain(locateEncoder(reference, { ...options, processor }));
  if (isGgufPath(folder)) {
    throw new SepError(
      "unsupported-model",
      `${folder} is a GGUF file, and encoders are read from safetensors or ONNX. Give a folder or a model of the hub.`,
    );
  }
  const found = await findEncoderWeights(folder, chooseEncoderFiles({ use, dtype, weights, processor }));
  const configPath = join(folder, "config.json");
  const config = createConfigReader(configPath, await readJsonFile(configPath));
  const plan = await prepare(config, folder);
  const parts = await readTokenizerFiles(folder);
  const { tokenizer, postProcessor } = await openTokenizer(parts, options);
  const template = readTextTemplate(parts.path, postProcessor);
  const weightsSha256 = await fingerprintCheckpoint(
    configPath,
    found.files.map((file) => join(folder, file)),
  );
  const graph = { folder, config, labelCount: plan.labelCount, dtype, weightsSha256, threads };
  const { session, positions } =
    found.kind === "safetensors" ? await openBuiltEncoder(graph) : await openExportedEncoder(graph, found);
  try {
    const maxTokens = readMaxTokens({
      config,
      tokenizer: parts.config,
      positions,
      asked: [plan.maxTokens, options.maxTokens],
    });
    const encoder = createEncoder({
      tokenizer,
      template,
      maxTokens,
      session,
      oneAtATime: found.kind === "onnx" && dtype === "int8",
      provenance: {
        ...(name ?? { id: reference, revision: commit }),
        file: found.files[0] as string,
        weights_sha256: weightsSha256,
        tokenizer_sha256: parts.sha256,
        dtype,
        max_tokens: maxTokens,
      },
    });
    return { encoder, plan };
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}
