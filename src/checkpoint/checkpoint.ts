import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ConfigReader, createConfigReader } from "../engine/graph/config-reader.ts";
import type { WeightIndex } from "../engine/graph/weights.ts";
import type { TextTokenizer } from "../engine/tokenizer/text-tokenizer.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { fingerprintStoredFile } from "./hub/hub-cache.ts";
import { readJsonFile } from "./read-json-file.ts";
import { loadTextTokenizer, type OpenTokenizerOptions } from "./tokenizer/load-text-tokenizer.ts";
import { readWeightIndex, weightFiles } from "./weight-index.ts";

/** A model on disk, opened: all that is needed to build its graph and to speak with it. */
export interface Checkpoint {
  /** `config.json`, or what stands for it. */
  readonly config: ConfigReader;
  /** `generation_config.json`; null if there is none. */
  readonly generation: ConfigReader | null;
  readonly weights: WeightIndex;
  readonly tokenizer: TextTokenizer;
  /** SHA-256 over config and weights. Yields the number of bytes read since it last yielded. */
  fingerprintWeights(): AsyncGenerator<number, string>;
}

/**
 * Opens a folder in Hugging Face format: `config.json`, `tokenizer.json`, `model.safetensors` or its shards.
 * @throws SepError `bad-checkpoint`, `bad-tokenizer`, `hostile-model`
 */
export async function openCheckpointFolder(
  directory: string,
  options: OpenTokenizerOptions = {},
): Promise<Checkpoint> {
  const configPath = join(directory, "config.json");
  const generationPath = join(directory, "generation_config.json");
  const config = createConfigReader(configPath, await readJsonFile(configPath));
  const generation = await readJsonFile(generationPath, { optional: true });
  const weights = await readWeightIndex(directory);
  return {
    config,
    generation: generation === null ? null : createConfigReader(generationPath, generation),
    weights,
    tokenizer: await loadTextTokenizer(directory, options),
    fingerprintWeights: () => fingerprintCheckpoint(configPath, weightFiles(weights)),
  };
}

/** SHA-256 over the hashes of a checkpoint's config and weight files. Yields as `fingerprintStoredFile` does. */
export async function* fingerprintCheckpoint(
  configPath: string,
  files: readonly string[],
): AsyncGenerator<number, string> {
  const hashes = [fingerprint(await readFile(configPath))];
  for (const file of files) hashes.push(yield* fingerprintStoredFile(file));
  return fingerprint(hashes.join("\n"));
}
