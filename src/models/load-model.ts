import { availableParallelism } from "node:os";
import { SepError } from "../errors.ts";
import { findArchitecture } from "./architectures/registry.ts";
import { buildDecoder } from "./build-decoder.ts";
import { type Checkpoint, weightFiles } from "./checkpoint.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { openDecoderSession } from "./decoder-session.ts";
import { findCheckpoint } from "./find-checkpoint.ts";
import { createGraphFolder } from "./graph-folder.ts";
import { createLanguageModel, type LanguageModel } from "./language-model.ts";
import { rotaryPairs } from "./rope.ts";
import type { WeightIndex } from "./weight-index.ts";

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
 * @param reference what {@link findCheckpoint} knows: the embedded model's name, or a folder
 * @throws SepError `model-not-found`, `bad-checkpoint`, `bad-tokenizer`, `unsupported-model`
 */
export async function loadModel(
  reference: string,
  { threads }: LoadModelOptions = {},
): Promise<LanguageModel> {
  const checkpoint = await findCheckpoint(reference);
  const { weights, tokenizer } = checkpoint;
  const architecture = findArchitecture(checkpoint.config);
  const config = checkSizes(architecture.readConfig(checkpoint.config), checkpoint.config.path);

  const graph = buildDecoder(architecture, config, weights);
  await using folder = await createGraphFolder(graph, weightFiles(weights));
  const available = threads ?? availableParallelism();
  const small = countParameters(weights) < SMALL_MODEL_PARAMETERS;
  const session = await openDecoderSession(folder.modelPath, config, { threads: small ? 1 : available });
  return createLanguageModel({
    provenance: {
      id: reference,
      weights_sha256: await checkpoint.fingerprintWeights(),
      tokenizer_sha256: tokenizer.sha256,
      dtype: "float32",
    },
    config,
    tokenizer,
    endTokenIds: readEndTokens(checkpoint),
    concurrency: small ? available : 1,
    session,
  });
}

function checkSizes(config: DecoderConfig, path: string): DecoderConfig {
  const { headCount, kvHeadCount, headSize, ropes } = config;
  if (headCount % kvHeadCount !== 0) {
    throw new SepError(
      "bad-checkpoint",
      `${path}: ${headCount} query heads do not divide among ${kvHeadCount} key/value heads.`,
    );
  }
  if (!Number.isInteger(headSize)) {
    throw new SepError("bad-checkpoint", `${path}: head size ${headSize}, expected an integer.`);
  }
  if (ropes.some((rope) => 2 * rotaryPairs(rope) > headSize)) {
    throw new SepError(
      "bad-checkpoint",
      `${path}: head size ${headSize}, expected an even one, since whole heads are rotated in pairs.`,
    );
  }
  return config;
}

/** Every token that ends an answer: from generation_config.json, else config.json, else the tokenizer. */
function readEndTokens({ generation, config, tokenizer }: Checkpoint): ReadonlySet<number> {
  const stated = [generation, config]
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
