import type { BatchLimits } from "./generate/batch.ts";
import { type Batcher, createBatcher } from "./generate/batcher.ts";
import { extendRows } from "./generate/extend-rows.ts";
import {
  createPrefill,
  createPromptCache,
  type PrefilledPrompt,
  type PrefillOptions,
  type PromptTokens,
  runPrefill,
} from "./generate/prefill.ts";
import type { GenerationDefaults } from "./generate/sampler-settings.ts";
import type { DecoderConfig } from "./graph/decoder-config.ts";
import { joinTokens } from "./layer-states.ts";
import { everyLayer, type LayerName, resolveLayer } from "./resolve-layers.ts";
import type { DeviceName, ModelDtype } from "./runtime/device.ts";
import type { DecoderSession } from "./session/decoder-session.ts";
import { emptyKvBlock } from "./session/kv-block.ts";
import type { TextTokenizer } from "./tokenizer/text-tokenizer.ts";

/** What a model is called. */
export interface ModelName {
  /** As the user named it. */
  readonly id: string;
  /** Commit hash of a model from the hub; null for others. */
  readonly revision: string | null;
}

/** What identifies the weights and the tokenizer; part of every artifact made with them. */
export interface ModelProvenance extends ModelName {
  /** SHA-256 over the weight files' bytes and `config.json`. */
  readonly weights_sha256: string;
  /** SHA-256 of `tokenizer.json`. */
  readonly tokenizer_sha256: string;
  /** Of the linear layers; all else is float32. */
  readonly dtype: ModelDtype;
  /** What it is computed on: other kernels round differently. */
  readonly device: DeviceName;
}

/** A causal language model whose residual stream can be read at every layer. */
export interface LanguageModel extends AsyncDisposable {
  readonly provenance: ModelProvenance;
  /** Where the checkpoint is on this machine; loads the same model again, whatever the hub does. */
  readonly path: string;
  readonly config: DecoderConfig;
  readonly tokenizer: TextTokenizer;
  /** Tokens that end an answer. */
  readonly endTokenIds: ReadonlySet<number>;
  /** How the model's authors sample from it; null if they do not say. */
  readonly generationDefaults: GenerationDefaults | null;
  /** Copies of this model worth running in parallel on this machine, each on a thread of its own. */
  readonly workers: number;
  /** Copies that threads and memory allow. */
  readonly mostWorkers: number;
  /** onnxruntime's threads within each. */
  readonly threadsPerWorker: number;
  /** onnxruntime's threads of this model's own passes. */
  readonly threadsPerPass: number;
  /**
   * What each copy generates at a time.
   * @internal
   */
  readonly limits: BatchLimits;
  /** Whether `workers` and `limits` are rules of thumb, and the model is large enough for a trial to find better ones. */
  readonly needsTrial: boolean;
  /** What one copy takes in memory once it is loaded, about. */
  readonly weightBytes: number;
  /** @internal */
  readonly session: DecoderSession;
  /**
   * Runs in the same passes all that the model is asked to generate at a time.
   * @internal
   */
  readonly batcher: Batcher;
  /** Runs a prompt and keeps its keys and values as a prefix that any number of samples share. */
  prefill(prompt: PromptTokens, options?: PrefillOptions): Promise<PrefilledPrompt>;
  /** Reads the residual stream of one sequence. */
  trace(tokenIds: readonly number[], options?: TraceOptions): Promise<Trace>;
}

export interface TraceOptions {
  /** Residual layers, 0 .. L or TransformerLens' hook names; all by default. */
  readonly layers?: readonly LayerName[];
  /** Token indices, negative ones from the end; all by default. */
  readonly positions?: readonly number[];
  /** Also the stream after the final norm. */
  readonly finalNorm?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Hidden states of one sequence; all shapes follow from the options alone. */
export interface Trace {
  /** What was traced, so that states can be told apart from those of another text or model. */
  readonly tokenIds: readonly number[];
  readonly provenance: ModelProvenance;
  readonly layers: readonly number[];
  readonly positions: readonly number[];
  readonly hiddenSize: number;
  /** The residual stream before the final norm, [positions, layers, D]. */
  readonly residuals: Float32Array;
  /** [positions, D] after the final norm, or null when not asked for. */
  readonly finalNorms: Float32Array | null;
}

/** The parts of a loaded checkpoint that make a {@link LanguageModel}. */
type LanguageModelParts = Pick<
  LanguageModel,
  | "provenance"
  | "path"
  | "config"
  | "tokenizer"
  | "endTokenIds"
  | "generationDefaults"
  | "workers"
  | "mostWorkers"
  | "threadsPerWorker"
  | "threadsPerPass"
  | "limits"
  | "needsTrial"
  | "weightBytes"
  | "session"
>;

/** Of the bytes for keys and values, for prompts that may be asked again, and as much for what prompts begin with. */
const SHARE_OF_CACHE = 0.0625;
/** For each of the two; with more, it would keep prompts that are hardly asked again. */
const MOST_CACHED_BYTES = 2 ** 28;

export function createLanguageModel(parts: LanguageModelParts): LanguageModel {
  const { session, config } = parts;
  const { limits, threadsPerPass: threads } = parts;
  const cached = Math.min(SHARE_OF_CACHE * limits.kvBytes, MOST_CACHED_BYTES);
  const cache = createPromptCache(cached);
  return {
    ...parts,
    batcher: createBatcher({ session, cache, threads }, { ...limits, kvBytes: limits.kvBytes - 2 * cached }),
    async prefill(prompt, options) {
      requireTokens(prompt.tokenIds, config);
      return runPrefill(createPrefill(session, prompt, { ...options, cache }));
    },
    async trace(tokenIds, options = {}) {
      requireTokens(tokenIds, config);
      const layers =
        options.layers?.map((layer) => resolveLayer(layer, config.blockCount)) ?? everyLayer(config);
      const positions = (options.positions ?? tokenIds.map((_, index) => index)).map((position) =>
        resolvePosition(position, tokenIds.length),
      );
      const { residuals, finalNorms } = await extendRows(session, [tokenIds], {
        prefix: emptyKvBlock(config, 1),
        suffix: emptyKvBlock(config, 1),
        trace: positions.map((offset) => ({ row: 0, offset })),
        layers,
        finalNorm: options.finalNorm ?? false,
        keepKv: false,
        signal: options.signal,
      });
      return {
        tokenIds,
        provenance: parts.provenance,
        layers,
        positions,
        hiddenSize: config.hiddenSize,
        residuals: joinTokens(residuals, config.hiddenSize),
        finalNorms,
      };
    },
    async [Symbol.asyncDispose]() {
      await session[Symbol.asyncDispose]();
      parts.tokenizer[Symbol.dispose]?.();
    },
  };
}

function requireTokens(tokenIds: readonly number[], { vocabularySize }: DecoderConfig): void {
  if (tokenIds.length === 0) throw new RangeError("Got 0 tokens, expected at least 1.");
  const wrong = tokenIds.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
  if (wrong !== undefined)
    throw new RangeError(`Got token id ${wrong}, expected 0 to ${vocabularySize - 1}.`);
}

function resolvePosition(position: number, length: number): number {
  const index = position < 0 ? length + position : position;
  if (Number.isInteger(index) && index >= 0 && index < length) return index;
  throw new RangeError(`Got position ${position}, expected ${-length} to ${length - 1}.`);
}
