import { join } from "node:path";
import { createEncoder, type Encoder, type EncoderDtype } from "../../engine/encoders/encoder.ts";
import { type ConfigReader, createConfigReader } from "../../engine/graph/config-reader.ts";
import type { ModelName } from "../../engine/language-model.ts";
import { readMachine } from "../../engine/runtime/machine-node.ts";
import { readTextTemplate } from "../../engine/tokenizer/text-template.ts";
import { SepError } from "../../errors.ts";
import { drain } from "../../net/map-concurrently.ts";
import { fingerprintCheckpoint } from "../checkpoint.ts";
import type { HubOptions, PullEvent } from "../hub/hub.ts";
import { type CheckpointLocation, isGgufPath, locateCheckpoint } from "../locate-checkpoint.ts";
import { readJsonFile } from "../read-json-file.ts";
import { openTokenizer, readTokenizerFiles } from "../tokenizer/load-text-tokenizer.ts";
import {
  type Cpu,
  chooseEncoderFiles,
  detectCpu,
  type EncoderUse,
  type EncoderWeights,
  findEncoderWeights,
} from "./encoder-files.ts";
import { openBuiltEncoder, openExportedEncoder } from "./open-encoder-graph.ts";

export interface LoadEncoderOptions extends Omit<LocateEncoderOptions, "use"> {
  /** Threads of a forward pass; all that this process may use by default. */
  readonly threads?: number | undefined;
  /** Longest input, if it is to be shorter than the model's own. */
  readonly maxTokens?: number | undefined;
  /** What to call a model that was located before, when the reference is only where it is. */
  readonly name?: ModelName | undefined;
}

/** What a use makes of an encoder's folder before its graph is opened. */
interface EncoderPlan {
  readonly labelCount: number | null;
  /** A limit of this use beside the model's. */
  readonly maxTokens: number | null;
}

/** An encoder, and what its use read from its folder. */
interface LoadedEncoder<Plan extends EncoderPlan> {
  readonly encoder: Encoder;
  readonly plan: Plan;
}

/**
 * Loads an encoder for a use.
 * @param reference a folder, or a model on the hub
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
  const cpu = options.cpu ?? (await detectCpu());
  const { path: folder, commit } = await drain(locateEncoder(reference, { ...options, cpu }));
  if (isGgufPath(folder)) {
    throw new SepError(
      "unsupported-model",
      `${folder} is a GGUF file, but encoders are read from safetensors or ONNX. Give a folder or a model on the Hub.`,
    );
  }
  const found = await findEncoderWeights(folder, chooseEncoderFiles({ use, dtype, weights, cpu }));
  const configPath = join(folder, "config.json");
  const config = createConfigReader(configPath, await readJsonFile(configPath));
  const plan = await prepare(config, folder);
  const parts = await readTokenizerFiles(folder);
  const { tokenizer, postProcessor } = await openTokenizer(parts, options);
  const template = readTextTemplate(parts.path, postProcessor);
  const weightFiles = found.files.map((file) => join(folder, file));
  const weightsSha256 = await drain(fingerprintCheckpoint(configPath, weightFiles));
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

export interface LocateEncoderOptions {
  readonly use: EncoderUse;
  readonly dtype?: EncoderDtype | undefined;
  readonly weights?: EncoderWeights | undefined;
  /** Decides which quantised export is taken; this machine's by default. */
  readonly cpu?: Cpu | undefined;
  readonly hub?: HubOptions | undefined;
  /** Ends a download. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds an encoder as {@link locateCheckpoint} finds a language model, with the files that an encoder takes.
 * @throws SepError as {@link locateCheckpoint}
 */
export async function* locateEncoder(
  reference: string,
  { use, dtype = "float32", weights = "auto", cpu, hub, signal }: LocateEncoderOptions,
): AsyncGenerator<PullEvent, CheckpointLocation> {
  const choice = chooseEncoderFiles({
    use,
    dtype,
    weights,
    cpu: cpu ?? (await detectCpu()),
  });
  return yield* locateCheckpoint(reference, { choice, hub, signal });
}

export interface TokenLimits {
  /** `config.json` */
  readonly config: ConfigReader;
  /** `tokenizer_config.json` */
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** Of the graph's positions, where it was built here; null for exports. */
  readonly positions: number | null;
  /** What the user or the model's authors ask for beside these. */
  readonly asked: readonly (number | null | undefined)[];
}

/**
 * The longest input of an encoder, its own tokens included: the smallest of all limits that are stated.
 * @throws SepError `bad-checkpoint` if none is stated, `bad-option` if there is no room for a text
 */
export function readMaxTokens({ config, tokenizer, positions, asked }: TokenLimits): number {
  const { model_max_length: tokenizerLimit } = tokenizer;
  const stated = [
    positions ?? (config.has("max_position_embeddings") ? config.size("max_position_embeddings") : null),
    // tokenizers without a limit of their own state 1e30
    typeof tokenizerLimit === "number" && tokenizerLimit < NO_LIMIT ? tokenizerLimit : null,
    ...asked,
  ].filter((limit) => typeof limit === "number");
  const smallest = Math.min(...stated);
  if (!Number.isFinite(smallest)) {
    throw new SepError(
      "bad-checkpoint",
      `${config.path}: the longest input is not stated. Set maxTokens to the length that the model was trained with.`,
    );
  }
  if (smallest >= FEWEST_TOKENS && Number.isInteger(smallest)) return smallest;
  throw new SepError(
    "bad-option",
    `The longest input would be ${smallest} tokens, expected an integer from ${FEWEST_TOKENS}, since models add some of their own.`,
  );
}

const NO_LIMIT = 1e9;
const FEWEST_TOKENS = 8;
