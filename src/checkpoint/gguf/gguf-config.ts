import { SepError } from "../../errors.ts";
import type { GgufHeader } from "./gguf-header.ts";
import type { GgufMetadata } from "./gguf-metadata.ts";

/** The supported values of `general.architecture`. */
const GGUF_ARCHITECTURES = ["llama", "qwen2", "qwen3", "gpt2", "gemma3"] as const;
export type GgufArchitecture = (typeof GGUF_ARCHITECTURES)[number];

/** @throws SepError `unsupported-model` naming the architecture and those that are read */
export function readGgufArchitecture(metadata: GgufMetadata): GgufArchitecture {
  const stated = metadata.text("general.architecture");
  const known = GGUF_ARCHITECTURES.find((each) => each === stated);
  if (known !== undefined) return known;
  throw new SepError(
    "unsupported-model",
    `${metadata.path}: architecture ${JSON.stringify(stated)} is not implemented for GGUF; ${GGUF_ARCHITECTURES.join(", ")} are.`,
  );
}

/**
 * What `config.json` would say about the model, field by field under the names that Hugging Face's configs use.
 * @param frequencyFactors [headSize / 2] of the tensor `rope_freqs.weight`, or null
 * @param endTokenIds every token that ends an answer
 * @throws SepError `bad-checkpoint` for a missing or wrong value, `unsupported-model` for a setting that would
 *   change the results in a way that is not implemented
 */
export function readGgufConfig(
  { tensors }: Pick<GgufHeader, "tensors">,
  metadata: GgufMetadata,
  {
    frequencyFactors,
    endTokenIds,
  }: { readonly frequencyFactors: Float32Array | null; readonly endTokenIds: readonly number[] },
): Record<string, unknown> {
  const architecture = readGgufArchitecture(metadata);
  refuseUnknownSettings(metadata, architecture);
  const embedding = tensors.get("token_embd.weight");
  const vocabularySize = embedding?.shape[0];
  if (vocabularySize === undefined || embedding?.shape.length !== 2)
    throw new SepError(
      "bad-checkpoint",
      `${metadata.path} has no tensor "token_embd.weight" of two dimensions: it contains a vocabulary but no model.`,
    );
  const shared = {
    model_type: architecture === "gemma3" ? "gemma3_text" : architecture,
    vocab_size: vocabularySize,
    bos_token_id: metadata.index("tokenizer.ggml.bos_token_id"),
    eos_token_id: endTokenIds,
    tie_word_embeddings: !tensors.has("output.weight"),
  };
  return {
    ...shared,
    ...(architecture === "gpt2"
      ? gpt2Fields(metadata)
      : {
          ...llamaFields(metadata, architecture, frequencyFactors),
          attention_bias: tensors.has("blk.0.attn_q.bias"),
          mlp_bias: tensors.has("blk.0.ffn_up.bias"),
          ...(architecture === "gemma3" ? gemma3Fields(metadata) : {}),
        }),
  };
}

function gpt2Fields(metadata: GgufMetadata): Record<string, unknown> {
  return {
    n_positions: metadata.size("gpt2.context_length"),
    n_ctx: metadata.size("gpt2.context_length"),
    n_embd: metadata.size("gpt2.embedding_length"),
    n_layer: metadata.size("gpt2.block_count"),
    n_head: metadata.size("gpt2.attention.head_count"),
    n_inner: metadata.size("gpt2.feed_forward_length"),
    layer_norm_epsilon: metadata.number("gpt2.attention.layer_norm_epsilon"),
    activation_function: "gelu_new",
  };
}

function llamaFields(
  metadata: GgufMetadata,
  architecture: GgufArchitecture,
  frequencyFactors: Float32Array | null,
): Record<string, unknown> {
  const size = (name: string): number => metadata.size(`${architecture}.${name}`);
  const optionalSize = (name: string, fallback: number): number =>
    metadata.has(`${architecture}.${name}`) ? size(name) : fallback;
  const hiddenSize = size("embedding_length");
  const headCount = size("attention.head_count");
  const headSize = optionalSize("attention.key_length", hiddenSize / headCount);
  for (const name of ["attention.value_length", "rope.dimension_count"]) {
    if (optionalSize(name, headSize) !== headSize)
      refuse(metadata, `${architecture}.${name}`, `the size of a head, ${headSize}`);
  }
  return {
    hidden_size: hiddenSize,
    intermediate_size: size("feed_forward_length"),
    num_hidden_layers: size("block_count"),
    num_attention_heads: headCount,
    num_key_value_heads: optionalSize("attention.head_count_kv", headCount),
    head_dim: headSize,
    max_position_embeddings: size("context_length"),
    rms_norm_eps: metadata.number(`${architecture}.attention.layer_norm_rms_epsilon`),
    hidden_act: "silu",
    rope_theta: metadata.has(`${architecture}.rope.freq_base`)
      ? metadata.number(`${architecture}.rope.freq_base`)
      : DEFAULT_ROPE_THETA,
    rope_scaling: ropeScaling(metadata, architecture, frequencyFactors),
  };
}

/** llama.cpp's own default. */
const DEFAULT_ROPE_THETA = 10_000;

/**
 * What Gemma 3 has beside the fields of a Llama. llama.cpp knows most of it without being told: every sixth block sees
 * everything, the others turn by a base of 10,000, and the 27B model, alone, scales its scores by the width that a head
 * would have if the heads shared the stream.
 * @see llama.cpp, `src/models/gemma3.cpp`
 */
function gemma3Fields(metadata: GgufMetadata): Record<string, unknown> {
  const size = (name: string): number => metadata.size(`gemma3.${name}`);
  const headSize = size("attention.key_length");
  const sharedSize = size("embedding_length") / size("attention.head_count");
  const optional = (name: string, field: string): Record<string, unknown> =>
    metadata.has(`gemma3.${name}`) ? { [field]: metadata.number(`gemma3.${name}`) } : {};
  return {
    hidden_activation: "gelu_pytorch_tanh",
    norm_weights_include_one: true,
    query_pre_attn_scalar: size("block_count") === GEMMA3_27B_BLOCKS ? sharedSize : headSize,
    sliding_window: size("attention.sliding_window"),
    ...optional("attention.sliding_window_pattern", "sliding_window_pattern"),
    ...optional("rope.freq_base_swa", "rope_local_base_freq"),
  };
}

/** llama.cpp recognises the model by this number. */
const GEMMA3_27B_BLOCKS = 62;

/**
 * llama.cpp stores the scaling of Llama 3's rotary frequencies as a tensor of divisors, and other kinds of scaling as
 * metadata.
 */
function ropeScaling(
  metadata: GgufMetadata,
  architecture: GgufArchitecture,
  frequencyFactors: Float32Array | null,
): Record<string, unknown> | null {
  const key = (name: string): string => `${architecture}.rope.${name}`;
  const stated = metadata.has(key("scaling.type")) ? metadata.text(key("scaling.type")) : "none";
  const kind = stated === "none" && metadata.has(key("scale_linear")) ? "linear" : stated;
  if (frequencyFactors !== null) {
    if (kind !== "none") refuse(metadata, key("scaling.type"), 'none beside the tensor "rope_freqs.weight"');
    return { rope_type: "frequency_factors", factors: [...frequencyFactors] };
  }
  if (kind === "none") return null;
  const factor = metadata.has(key("scaling.factor")) ? key("scaling.factor") : key("scale_linear");
  const original = key("scaling.original_context_length");
  return {
    rope_type: kind,
    factor: metadata.number(factor),
    ...(metadata.has(original) ? { original_max_position_embeddings: metadata.size(original) } : {}),
  };
}

/** Settings that {@link readGgufConfig} reads, or that do not affect the results. */
const READ_OR_HARMLESS: ReadonlySet<string> = new Set([
  "context_length",
  "embedding_length",
  "block_count",
  "feed_forward_length",
  "vocab_size",
  "tensor_data_layout",
  "attention.head_count",
  "attention.head_count_kv",
  "attention.key_length",
  "attention.value_length",
  "attention.layer_norm_epsilon",
  "attention.layer_norm_rms_epsilon",
  "rope.dimension_count",
  "rope.freq_base",
  "rope.scale_linear",
  "rope.scaling.type",
  "rope.scaling.factor",
  "rope.scaling.original_context_length",
  "rope.scaling.finetuned",
]);

/** As {@link READ_OR_HARMLESS}, of one architecture. */
const READ_OF: Readonly<Partial<Record<GgufArchitecture, ReadonlySet<string>>>> = {
  gemma3: new Set(["attention.sliding_window", "attention.sliding_window_pattern", "rope.freq_base_swa"]),
};

/** Settings that some converters write although the model does not use them, with the value that says so. */
const NEUTRAL: ReadonlyMap<string, string> = new Map([
  ["attention.causal", "true"],
  ["attention.sliding_window", "0"],
  ["attention.max_alibi_bias", "0"],
  ["attention.clamp_kqv", "0"],
  ["expert_count", "0"],
  ["expert_used_count", "0"],
  ["use_parallel_residual", "false"],
]);

/** An unknown setting may change what the model computes, so it is an error rather than ignored. */
function refuseUnknownSettings(metadata: GgufMetadata, architecture: GgufArchitecture): void {
  const prefix = `${architecture}.`;
  for (const key of metadata.keys) {
    if (!key.startsWith(prefix)) continue;
    const name = key.slice(prefix.length);
    if (READ_OR_HARMLESS.has(name) || READ_OF[architecture]?.has(name)) continue;
    if (NEUTRAL.get(name) === metadata.show(key)) continue;
    refuse(metadata, key, NEUTRAL.get(name) ?? "no such setting");
  }
}

function refuse(metadata: GgufMetadata, key: string, implemented: string): never {
  throw new SepError(
    "unsupported-model",
    `${metadata.path}: "${key}" is ${metadata.show(key)}, but only ${implemented} is implemented.`,
  );
}
