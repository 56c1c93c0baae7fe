import { readEndTokens, readGenerationDefaults } from "../engine/generate/sampler-settings.ts";
import { findArchitecture } from "../engine/graph/architectures/registry.ts";
import { buildDecoder } from "../engine/graph/build-decoder.ts";
import { checkConfigSizes, checkHeads } from "../engine/graph/check-config.ts";
import type { LinearWeight, Quantisation, QuantisedWeights } from "../engine/graph/graph-scope.ts";
import { QUANTISATIONS } from "../engine/graph/parts/quantised-linear.ts";
import type { WeightIndex } from "../engine/graph/weights.ts";
import { createLanguageModel, type LanguageModel, type ModelName } from "../engine/language-model.ts";
import { DEVICES, type DeviceChoice, type ModelDtype } from "../engine/runtime/device.ts";
import { planThreads, planWorkingBytes, readMachine } from "../engine/runtime/machine-node.ts";
import {
  createLazySession,
  type DecoderSession,
  openDecoderSession,
} from "../engine/session/decoder-session.ts";
import { layoutSafetensors } from "../formats/encode-safetensors.ts";
import { drain } from "../net/map-concurrently.ts";
import { openQuantisedWeights } from "./derived-weights.ts";
import { openCheckpoint } from "./find-checkpoint.ts";
import { nodeRuntime } from "./graph-folder.ts";
import type { HubOptions } from "./hub/hub.ts";
import { locateCheckpoint } from "./locate-checkpoint.ts";
import { planSubject, readPlanTrial, resolvePlan } from "./machine-plan.ts";
import { type OpeningEvent, reportPull, reportReading } from "./opening-event.ts";
import { type Device, openDevice } from "./resolve-device.ts";

export interface LoadModelOptions {
  /** Threads for the forward pass; all that this machine offers by default. */
  readonly threads?: number | undefined;
  /** Of the linear layers: `int8` is about twice as fast, `int4` smallest; traces want `float32`. */
  readonly dtype?: ModelDtype | undefined;
  /** The device, the CPU by default; a device that `resolveDevice` returned is not tried again. */
  readonly device?: DeviceChoice | Device | undefined;
  /** Bound on what all copies of the model take in memory with what they compute; half of what there is by default. */
  readonly memoryBytes?: number | undefined;
  /** Copies of the model that generate in parallel; as many as threads and memory allow, or fewer by a trial, by default. */
  readonly workers?: number | undefined;
  /** Answers that a copy generates in one pass; 80, or as a trial has found, by default. */
  readonly rows?: number | undefined;
  /** Bound on the keys and values of a copy; most of what the copies leave of `memoryBytes`, shared, by default. */
  readonly kvBytes?: number | undefined;
  /** The weights' fingerprint where the caller has computed it already, so that they are not read for it again. */
  readonly trustedSha256?: string | undefined;
  /** Where and how to look for models of the hub. */
  readonly hub?: HubOptions | undefined;
  /** Ends a download, and the reading of a tokenizer. */
  readonly signal?: AbortSignal | undefined;
  /** What to call a model that was located before, when the reference is only where it is. */
  readonly name?: ModelName | undefined;
}

/** Weights are read from memory once for so many rows; a trial may find more to be faster, and each takes memory. */
export const ROWS_PER_PASS = 80;
/** Of what a copy may take for what it computes, for keys and values; the rest is for activations and JavaScript's heap. */
const SHARE_FOR_KEYS = 0.75;

/**
 * Of a model's weights. A smaller one's operators are done before a second thread has joined in, it samples thousands of
 * tokens a second as it is, and its time goes where quantised weights change nothing.
 */
export const LARGE_BYTES = 80_000_000;

/**
 * Loads a causal language model. A model on the hub that is not in the cache is downloaded first.
 * @param reference `pocket`, the embedded model; a folder in Hugging Face format; a `.gguf` file; or a model on the hub
 * @throws SepError `bad-checkpoint`, `bad-tokenizer`, `hostile-model`, `unsupported-model`, `model-too-large`,
 *   `model-not-found`; `device-unavailable` as `resolveDevice`; those of the hub as `pullModel`
 */
export const loadModel = (reference: string, options: LoadModelOptions = {}): Promise<LanguageModel> =>
  drain(openModel(reference, options));

/**
 * {@link loadModel} with events: the device that `auto` selects, the download, and the reading of large weights.
 * @throws SepError as `loadModel` does
 */
export async function* openModel(
  reference: string,
  options: LoadModelOptions = {},
): AsyncGenerator<OpeningEvent, LanguageModel> {
  const { dtype = "float32", trustedSha256, hub, signal } = options;
  // before the download: the model is useless without its device
  const { name: device } = yield* openDevice(options.device, { dtype });
  const { path, commit } = yield* reportPull(reference, locateCheckpoint(reference, { hub, signal }));
  const checkpoint = await openCheckpoint(path, { signal });
  const { weights, tokenizer } = checkpoint;
  const architecture = findArchitecture(checkpoint.config);
  checkConfigSizes(checkpoint.config, weights);
  const config = checkHeads(architecture.readConfig(checkpoint.config), checkpoint.config.path);

  const weightsSha256 =
    trustedSha256 ?? (yield* reportReading(reference, storedBytes(weights), checkpoint.fingerprintWeights()));
  const { operators } = DEVICES[device];
  const { linears, model, embeddingTable } = buildDecoder(architecture, config, weights, { operators });
  const quantisation = QUANTISATIONS[dtype];
  const bytes = loadedBytes(weights, linears, quantisation);
  const machine = readMachine();
  const { threads, threadsPerWorker, workers: most } = planThreads(bytes, { ...options, device }, machine);
  const passThreads = bytes < LARGE_BYTES ? 1 : threads;
  const isTried = device === "cpu" && bytes >= LARGE_BYTES && options.rows === undefined;
  const subject = planSubject(
    { weights_sha256: weightsSha256, dtype },
    { threadsPerWorker, mostWorkers: most },
  );
  const trial = isTried ? await readPlanTrial(subject) : null;
  const { workers, rows } = resolvePlan(options, { workers: most, rows: ROWS_PER_PASS }, trial);
  const quantised: QuantisedWeights | null = quantisation && {
    quantisation,
    index: await openQuantisedWeights(quantisation, weights, linears, weightsSha256),
  };
  const open = (): Promise<DecoderSession> => {
    const graph = quantised
      ? buildDecoder(architecture, config, weights, { quantised, operators }).model
      : model;
    return openDecoderSession(nodeRuntime, graph, config, {
      threads: passThreads,
      device,
      embeddingTable,
      quantised: quantised !== null,
    });
  };
  return createLanguageModel({
    provenance: {
      ...(options.name ?? { id: reference, revision: commit }),
      weights_sha256: weightsSha256,
      tokenizer_sha256: tokenizer.sha256,
      dtype,
      device,
    },
    path,
    config,
    tokenizer,
    endTokenIds: readEndTokens(checkpoint),
    generationDefaults: readGenerationDefaults(checkpoint.generation),
    workers,
    mostWorkers: most,
    threadsPerWorker,
    threadsPerPass: passThreads,
    limits: {
      rows,
      kvBytes:
        options.kvBytes ??
        SHARE_FOR_KEYS *
          planWorkingBytes(device === "cpu" ? bytes : 0, workers, options.memoryBytes, machine),
    },
    needsTrial: isTried && options.workers === undefined && trial === null,
    weightBytes: bytes,
    session: createLazySession(config, open),
  });
}

const storedBytes = (weights: WeightIndex): number =>
  [...weights.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);

/** About what a session keeps: the linear layers packed for their kernels, and the rest as it is stored. */
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
