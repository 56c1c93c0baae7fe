import { open, realpath } from "node:fs/promises";
import { createConfigReader } from "../../engine/graph/config-reader.ts";
import { SepError } from "../../errors.ts";
import { drain } from "../../net/map-concurrently.ts";
import { readExactly } from "../../store/read-file.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { fingerprintStoredFile } from "../hub/hub-cache.ts";
import { type OpenTokenizerOptions, openTokenizer } from "../tokenizer/load-text-tokenizer.ts";
import type { TokenizerFiles } from "../tokenizer/sandboxed-tokenizer.ts";
import { createDequantizer } from "./dequantize.ts";
import { readGgufArchitecture, readGgufConfig } from "./gguf-config.ts";
import { type GgufHeader, readGgufHeader } from "./gguf-header.ts";
import { createGgufMetadata } from "./gguf-metadata.ts";
import { spellGgufTokenizer } from "./gguf-tokenizer.ts";
import { readGgufVocabulary } from "./gguf-vocabulary.ts";
import { openGgufWeights } from "./gguf-weights.ts";
import { type PlannedWeight, planWeights } from "./weight-plan.ts";

/**
 * Opens a GGUF file of the architectures llama, qwen2, qwen3, gemma3 and gpt2 as the Hugging Face checkpoint that it was made
 * from. Packed weights are unpacked to float32 in the cache when a file is opened for the first time.
 * @throws SepError `bad-checkpoint`, `unsupported-model`, `bad-tokenizer`, `hostile-model`, `disk-full`
 */
export async function openGgufCheckpoint(
  path: string,
  options: OpenTokenizerOptions = {},
): Promise<Checkpoint> {
  // the graph folder makes hard links, and one to a symbolic link would not link to its target
  const header = await readGgufHeader(await realpath(path));
  const { config, tokenizerFiles, plan } = interpretGguf(header, await readFrequencyFactors(header));
  let hash: Promise<string> | null = null;
  const hashFile = (): Promise<string> => {
    hash ??= drain(fingerprintStoredFile(header.path));
    return hash;
  };
  const weights = await openGgufWeights(header, plan, { fingerprint: hashFile });
  const { tokenizer } = await openTokenizer(tokenizerFiles, options);
  return {
    config,
    generation: null,
    weights,
    tokenizer,
    async *fingerprintWeights() {
      return hashFile();
    },
  };
}

/**
 * All that a header says about the model.
 * @param frequencyFactors the values of `rope_freqs.weight`, or null
 * @throws SepError `bad-checkpoint`, `unsupported-model`, `hostile-model`
 */
export function interpretGguf(
  header: Pick<GgufHeader, "path" | "metadata" | "tensors">,
  frequencyFactors: Float32Array | null,
): { readonly plan: PlannedWeight[]; readonly tokenizerFiles: TokenizerFiles } & Pick<Checkpoint, "config"> {
  const metadata = createGgufMetadata(header.path, header.metadata);
  const architecture = readGgufArchitecture(metadata);
  const vocabulary = readGgufVocabulary(metadata, header.tensors.get("token_embd.weight")?.shape[0] ?? 0);
  const { endTokenIds } = vocabulary;
  const fields = readGgufConfig(header, metadata, { frequencyFactors, endTokenIds });
  const config = createConfigReader(header.path, fields);
  const size = (field: string, gpt2Field: string): number =>
    config.size(architecture === "gpt2" ? gpt2Field : field);
  return {
    config,
    plan: planWeights(header, architecture, {
      blockCount: size("num_hidden_layers", "n_layer"),
      headCount: size("num_attention_heads", "n_head"),
      kvHeadCount: size("num_key_value_heads", "n_head"),
    }),
    tokenizerFiles: spellGgufTokenizer(metadata, vocabulary, architecture),
  };
}

/** The divisors of the rotary frequencies, which Llama 3.1 and later have; null for other models. */
export async function readFrequencyFactors({ path, tensors }: GgufHeader): Promise<Float32Array | null> {
  const tensor = tensors.get("rope_freqs.weight");
  if (tensor === undefined) return null;
  const { type, shape, byteOffset, byteLength } = tensor;
  const count = shape[0] as number;
  if (shape.length !== 1 || count > MAX_FREQUENCIES)
    throw new SepError(
      "bad-checkpoint",
      `${path}: tensor "rope_freqs.weight" is [${shape.join(", ")}], expected half the head size.`,
    );
  const factors = new Float32Array(count);
  const file = await open(path, "r");
  try {
    createDequantizer()(type.name, await readExactly(file, byteOffset, byteLength), factors);
  } finally {
    await file.close();
  }
  return factors;
}

/** Heads have 64 to 256 values. */
const MAX_FREQUENCIES = 1 << 12;
