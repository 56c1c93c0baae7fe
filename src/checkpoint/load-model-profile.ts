import { join } from "node:path";
import { readEndTokens } from "../engine/generate/end-tokens.ts";
import { readGenerationDefaults } from "../engine/generate/generation-defaults.ts";
import { findArchitecture } from "../engine/graph/architectures/registry.ts";
import { type ConfigReader, createConfigReader } from "../engine/graph/config-reader.ts";
import type { ModelName } from "../engine/language-model.ts";
import { SepError } from "../errors.ts";
import { checkConfigSizes } from "./check-config.ts";
import { openGgufCheckpoint } from "./gguf/open-gguf.ts";
import { type FileChoice, LANGUAGE_MODEL_FILES } from "./hub/file-choice.ts";
import { isGgufPath } from "./locate-checkpoint.ts";
import type { ModelProfile } from "./model-profile.ts";
import { readJsonFile } from "./read-json-file.ts";
import { loadTextTokenizer, type OpenTokenizerOptions } from "./tokenizer/load-text-tokenizer.ts";

/** Everything of a language model but its weights. */
export const PROFILE_FILES: FileChoice = { ...LANGUAGE_MODEL_FILES, weights: [] };

/**
 * Loads what is known of a model without its weights, which may be on another machine, or too large for this one.
 * @param path a folder in Hugging Face format, or a `.gguf` file
 * @throws SepError `bad-checkpoint`, `bad-tokenizer`, `hostile-model`
 */
export async function loadModelProfile(
  path: string,
  name: ModelName,
  options: OpenTokenizerOptions = {},
): Promise<ModelProfile> {
  const { config, generation, tokenizer } = isGgufPath(path)
    ? await openGgufCheckpoint(path, options)
    : await openFolder(path, options);
  return {
    provenance: name,
    config: readSizes(config),
    tokenizer,
    endTokenIds: readEndTokens({ generation, config, tokenizer }),
    generationDefaults: readGenerationDefaults(generation),
  };
}

async function openFolder(directory: string, options: OpenTokenizerOptions) {
  const configPath = join(directory, "config.json");
  const generationPath = join(directory, "generation_config.json");
  const generation = await readJsonFile(generationPath, { optional: true });
  return {
    config: createConfigReader(configPath, await readJsonFile(configPath)),
    generation: generation === null ? null : createConfigReader(generationPath, generation),
    tokenizer: await loadTextTokenizer(directory, options),
  };
}

/** By the architecture where the local engine knows it; a server may know more, and then by the usual names. */
function readSizes(config: ConfigReader): ModelProfile["config"] {
  checkConfigSizes(config, null);
  try {
    const { blockCount, hiddenSize, vocabularySize, maxPositions } =
      findArchitecture(config).readConfig(config);
    return { blockCount, hiddenSize, vocabularySize, maxPositions };
  } catch (error) {
    if (!(error instanceof SepError) || error.code !== "unsupported-model") throw error;
  }
  const text = config.section("text_config") ?? config;
  const size = (...names: readonly string[]): number =>
    text.size(names.find((name) => text.has(name)) ?? (names[0] as string));
  return {
    blockCount: size("num_hidden_layers", "n_layer", "num_layers"),
    hiddenSize: size("hidden_size", "n_embd", "d_model"),
    vocabularySize: size("vocab_size"),
    maxPositions: size("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length"),
  };
}
