import { readEndTokens } from "../engine/generate/end-tokens.ts";
import { readGenerationDefaults } from "../engine/generate/generation-defaults.ts";
import { findArchitecture } from "../engine/graph/architectures/registry.ts";
import { buildDecoder } from "../engine/graph/build-decoder.ts";
import type { DecoderConfig } from "../engine/graph/decoder-config.ts";
import type { LinearWeight } from "../engine/graph/graph-scope.ts";
import type { QuantisedWeights } from "../engine/graph/graph-weights.ts";
import { QUANTISATIONS, type Quantisation } from "../engine/graph/quantisation.ts";
import { rotaryPairs } from "../engine/graph/rope.ts";
import {
  createLanguageModel,
  type LanguageModel,
  type ModelDtype,
  type ModelName,
} from "../engine/language-model.ts";
import { DEVICES, type DeviceChoice } from "../engine/runtime/device.ts";
import { createGraphFolder } from "../engine/runtime/graph-folder.ts";
import { createLazySession } from "../engine/runtime/lazy-session.ts";
import { planThreads } from "../engine/runtime/plan-threads.ts";
import { type Device, resolveDevice } from "../engine/runtime/resolve-device.ts";
import { type DecoderSession, openDecoderSession } from "../engine/session/decoder-session.ts";
import { createVocabularySession } from "../engine/session/vocabulary-session.ts";
import { SepError } from "../errors.ts";
import { layoutSafetensors } from "../store/safetensors.ts";
import { checkConfigSizes } from "./check-config.ts";
import { weightFiles } from "./checkpoint.ts";
import { findCheckpoint } from "./find-checkpoint.ts";
import type { HubOptions } from "./hub/hub.ts";
import { openQuantisedWeights } from "./quantised-weights.ts";
import type { WeightIndex } from "./weight-index.ts";

export interface LoadModelOptions {
  /** Threads for the forward pass; all that this machine offers by default. */
  readonly threads?: number | undefined;
  /** Arithmetic of the linear maps: `int8` is about twice as fast, `int4` smallest; traces want `float32`. */
  readonly dtype?: ModelDtype | undefined;
  /** What to compute on, the processor by default; a device that {@link resolveDevice} gave is not tried again. */
  readonly device?: DeviceChoice | Device | undefined;
  /** Bound on what all copies of the model take in memory; a quarter of what there is by default. */
  readonly memoryBytes?: number | undefined;
  /** The weights' fingerprint where the caller has computed it already, so that they are not read for it again. */
  readonly trustedSha256?: string | undefined;
  /** Where and how to look for models of the hub. */
  readonly hub?: HubOptions | undefined;
  /** Ends a download, and the reading of a tokenizer. */
  readonly signal?: AbortSignal | undefined;
  /** What to call a model that was located before, when the reference is only where it is. */
  readonly name?: ModelName | undefined;
}

/** The operators of a model smaller than this are done before a second thread has joined in. */
const WORTH_SPLITTING_BYTES = 80_000_000;

/**
 * Loads a causal language model.
 * @param reference what {@link locateCheckpoint} knows: the embedded model's name, a folder, a model of the hub
 * @throws SepError `bad-checkpoint`, `bad-tokenizer`, `hostile-model`, `unsupported-model`, `model-too-large`, those of
 *   {@link resolveDevice} and those of {@link locateCheckpoint}
 */
export async function loadModel(reference: string, options: LoadModelOptions = {}): Promise<LanguageModel> {
  const { dtype = "float32", trustedSha256, hub, signal, name } = options;
  const { name: device } = await resolveDevice(options.device, { dtype });
  const checkpoint = await findCheckpoint(reference, { hub, signal });
  const { weights, tokenizer } = checkpoint;
  const architecture = findArchitecture(checkpoint.config);
  checkConfigSizes(checkpoint.config, weights);
  const config = checkSizes(architecture.readConfig(checkpoint.config), checkpoint.config.path);

  const weightsSha256 = trustedSha256 ?? (await checkpoint.fingerprintWeights());
  const { operators } = DEVICES[device];
  const { linears, model, embeddingTable } = buildDecoder(architecture, config, weights, { operators });
  const quantisation = QUANTISATIONS[dtype];
  const bytes = loadedBytes(weights, linears, quantisation);
  const { threads, ...plan } = planThreads(bytes, { ...options, device });
  const passThreads = bytes < WORTH_SPLITTING_BYTES ? 1 : threads;
  const quantised: QuantisedWeights | null = quantisation && {
    quantisation,
    index: await openQuantisedWeights(quantisation, weights, linears, weightsSha256),
  };
  const open = async (): Promise<DecoderSession> => {
    const graph = quantised
      ? buildDecoder(architecture, config, weights, { quantised, operators }).model
      : model;
    const files = [...weightFiles(weights), ...(quantised ? weightFiles(quantised.index) : [])];
    await using folder = await createGraphFolder(graph, files);
    // awaited: the folder must be there until the session is open
    return await openDecoderSession(folder.modelPath, config, {
      threads: passThreads,
      device,
      embeddingTable,
      quantised: quantised !== null,
    });
  };
  return createLanguageModel({
    provenance: {
      ...(name ?? { id: reference, revision: checkpoint.commit }),
      weights_sha256: weightsSha256,
      tokenizer_sha256: tokenizer.sha256,
      dtype,
      device,
    },
    path: checkpoint.path,
    config,
    tokenizer,
    endTokenIds: readEndTokens(checkpoint),
    generationDefaults: readGenerationDefaults(checkpoint.generation),
    ...plan,
    session: createLazySession(config, open),
    vocabulary: createVocabularySession(passThreads),
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

/** About what a session keeps: the linear maps packed for their kernels, and the rest as it is stored. */
function loadedBytes(
  weights: WeightIndex,
  linears: readonly LinearWeight[],
  quantisation: Quantisation | null,
): number {
  const names = new Set(linears.map(({ name }) => name));
  const packed = quantisation
    ? layoutSafetensors(linears.flatMap((linear) => quantisation.formatOf(linear).tensors(linear))).totalBytes
    : linears.reduce((sum, { outSize, inSize }) => sum + 4 * outSize * inSize, 0);
  const rest = [...weights].reduce(
    (sum, [name, { byteLength }]) => sum + (names.has(name) ? 0 : byteLength),
    0,
  );
  return packed + rest;
}
