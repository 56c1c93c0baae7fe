import { readFile, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SepError } from "../errors.ts";
import { fingerprint, fingerprintFile } from "../store/fingerprint.ts";
import { findArchitecture } from "./architectures/registry.ts";
import { buildDecoder } from "./build-decoder.ts";
import { type ConfigReader, createConfigReader } from "./config-reader.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { openDecoderSession } from "./decoder-session.ts";
import { createGraphFolder } from "./graph-folder.ts";
import { createLanguageModel, type LanguageModel } from "./language-model.ts";
import { readJsonFile } from "./read-json-file.ts";
import { loadTextTokenizer, type TextTokenizer } from "./text-tokenizer.ts";
import { readWeightIndex, type WeightIndex } from "./weight-index.ts";

/** Name of the model that ships with this package. */
export const POCKET_MODEL = "pocket";

export interface LoadModelOptions {
  /** Threads for the forward pass; all that this machine offers by default. */
  readonly threads?: number | undefined;
}

/**
 * Below this many parameters a pass is too short to gain from several threads, and running several questions
 * side by side, one thread each, uses the cores better.
 */
const SMALL_MODEL_PARAMETERS = 20_000_000;

/**
 * Loads a causal language model.
 * @param reference `pocket`, or a directory in Hugging Face format (`config.json`, `tokenizer.json`,
 *   `model.safetensors` or its shards)
 * @throws SepError `model-not-found`, `bad-checkpoint`, `bad-tokenizer`, `unsupported-model`
 */
export async function loadModel(
  reference: string,
  { threads }: LoadModelOptions = {},
): Promise<LanguageModel> {
  const directory = await findCheckpoint(reference);
  const configPath = join(directory, "config.json");
  const reader = createConfigReader(configPath, await readJsonFile(configPath));
  const architecture = findArchitecture(reader);
  const config = checkSizes(architecture.readConfig(reader), configPath);
  const weights = await readWeightIndex(directory);
  const tokenizer = await loadTextTokenizer(directory);

  const weightFiles = [...new Set([...weights.values()].map(({ file }) => file))].sort();
  await using folder = await createGraphFolder(buildDecoder(architecture, config, weights), weightFiles);
  const available = threads ?? availableParallelism();
  const small = countParameters(weights) < SMALL_MODEL_PARAMETERS;
  const session = await openDecoderSession(folder.modelPath, config, { threads: small ? 1 : available });
  return createLanguageModel({
    provenance: {
      id: reference,
      weights_sha256: await fingerprintWeights(configPath, weightFiles),
      tokenizer_sha256: tokenizer.sha256,
      dtype: "float32",
    },
    config,
    tokenizer,
    endTokenIds: await readEndTokens(directory, reader, tokenizer),
    concurrency: small ? available : 1,
    session,
  });
}

/** The folder of a checkpoint. */
async function findCheckpoint(reference: string): Promise<string> {
  if (reference === POCKET_MODEL) return fileURLToPath(new URL("../../models/pocket", import.meta.url));
  const found = await stat(reference).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  });
  if (found?.isDirectory()) return reference;
  throw new SepError(
    "model-not-found",
    `No model "${reference}": expected "${POCKET_MODEL}" (the embedded model) or a directory with config.json, tokenizer.json and model.safetensors.`,
  );
}

function checkSizes(config: DecoderConfig, path: string): DecoderConfig {
  const { headCount, kvHeadCount, headSize } = config;
  if (headCount % kvHeadCount !== 0) {
    throw new SepError(
      "bad-checkpoint",
      `${path}: ${headCount} query heads do not divide among ${kvHeadCount} key/value heads.`,
    );
  }
  if (!Number.isInteger(headSize) || headSize % 2 !== 0) {
    throw new SepError("bad-checkpoint", `${path}: head size ${headSize}, expected an even integer.`);
  }
  return config;
}

/** Every token that ends an answer: from generation_config.json, else config.json, else the tokenizer. */
async function readEndTokens(
  directory: string,
  config: ConfigReader,
  tokenizer: TextTokenizer,
): Promise<ReadonlySet<number>> {
  const path = join(directory, "generation_config.json");
  const generation = await readJsonFile(path, { optional: true });
  const stated = [generation === null ? null : createConfigReader(path, generation), config]
    .map((source) => source?.integers("eos_token_id") ?? [])
    .find((ids) => ids.length > 0);
  if (stated !== undefined) return new Set(stated);
  const own = tokenizer.endToken === null ? null : tokenizer.tokenId(tokenizer.endToken);
  return new Set(own === null ? [] : [own]);
}

const countParameters = (weights: WeightIndex): number =>
  [...weights.values()].reduce(
    (total, { shape }) => total + shape.reduce((size, dimension) => size * dimension, 1),
    0,
  );

async function fingerprintWeights(configPath: string, weightFiles: readonly string[]): Promise<string> {
  const hashes = [fingerprint(await readFile(configPath))];
  for (const file of weightFiles) hashes.push(await fingerprintFile(file));
  return fingerprint(hashes.join("\n"));
}
