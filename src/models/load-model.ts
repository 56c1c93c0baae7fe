import { availableParallelism } from "node:os";
import { SepError } from "../errors.ts";
import { findArchitecture } from "./architectures/registry.ts";
import { buildDecoder } from "./build-decoder.ts";
import { type Checkpoint, weightFiles } from "./checkpoint.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import { openDecoderSession } from "./decoder-session.ts";
import { findCheckpoint } from "./find-checkpoint.ts";
import { createGraphFolder } from "./graph-folder.ts";
import { openInt8Weights } from "./int8-weights.ts";
import { createLanguageModel, type LanguageModel, type ModelDtype } from "./language-model.ts";
import { rotaryPairs } from "./rope.ts";
import type { WeightIndex } from "./weight-index.ts";

export interface LoadModelOptions {
  /** Threads for the forward pass; all that this machine offers by default. */
  readonly threads?: number | undefined;
  /** Arithmetic of the linear maps: `int8` is about twice as fast, for sampling; traces want `float32`. */
  readonly dtype?: ModelDtype | undefined;
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
  { threads, dtype = "float32" }: LoadModelOptions = {},
): Promise<LanguageModel> {
  const checkpoint = await findCheckpoint(reference);
  const { weights, tokenizer } = checkpoint;
  const architecture = findArchitecture(checkpoint.config);
  const config = checkSizes(architecture.readConfig(checkpoint.config), checkpoint.config.path);

  const weightsSha256 = await checkpoint.fingerprintWeights();
  const graph = buildDecoder(architecture, config, weights);
  const int8 = dtype === "int8" ? await openInt8Weights(weights, graph.linears, weightsSha256) : null;
  const { model, files } =
    int8 === null
      ? { model: graph.model, files: weightFiles(weights) }
      : {
          model: buildDecoder(architecture, config, weights, { int8 }).model,
          files: [...weightFiles(weights), ...weightFiles(int8)],
        };
  await using folder = await createGraphFolder(model, files);
  const available = threads ?? availableParallelism();
  const small = countParameters(weights) < SMALL_MODEL_PARAMETERS;
  const session = await openDecoderSession(folder.modelPath, config, { threads: small ? 1 : available });
  return createLanguageModel({
    provenance: {
      id: reference,
      weights_sha256: weightsSha256,
      tokenizer_sha256: tokenizer.sha256,
      dtype,
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
