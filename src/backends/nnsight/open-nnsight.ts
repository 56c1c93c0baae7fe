import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCheckpointFolder } from "../../checkpoint/checkpoint.ts";
import type { HubOptions } from "../../checkpoint/hub/hub.ts";
import { parseHubModelId } from "../../checkpoint/hub/hub-model-id.ts";
import { loadModelProfile, type ModelProfile, PROFILE_FILES } from "../../checkpoint/load-model-profile.ts";
import { isGgufPath, locateCheckpoint } from "../../checkpoint/locate-checkpoint.ts";
import { type OpeningEvent, reportPull, reportServer } from "../../checkpoint/opening-event.ts";
import { stackStates } from "../../engine/layer-states.ts";
import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import { drain } from "../../net/map-concurrently.ts";
import type { AnswerToTrace, StateBackend, TracedAnswers } from "../../states/state-backend.ts";
import { readSafetensorsHeader, readTensor } from "../../store/safetensors.ts";
import type { BackendWith } from "../backend.ts";
import type { OpenRequest } from "./sidecar-message.ts";
import { type Sidecar, startSidecar } from "./start-sidecar.ts";

export interface OpenNnsightOptions {
  /** A Python with nnsight; by default `uv` makes one. */
  readonly python?: string | undefined;
  /** PyTorch's name of a device, or `auto`: cuda if available, else the CPU. */
  readonly device?: string | undefined;
  /** PyTorch's name of a floating-point type, or `auto`: what the checkpoint states. */
  readonly dtype?: string | undefined;
  /** Compute on NDIF, which has the weights; the key is in `NDIF_API_KEY`. */
  readonly remote?: boolean | undefined;
  readonly hub?: HubOptions | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a model in a Python process under nnsight. A model of the hub is downloaded first, as `openModel` does; for NDIF all
 * but its weights. Dispose of it to end the process.
 * @throws SepError `unsupported-model` for GGUF, `bad-option` for NDIF without a key or with a model that has no name
 *   there, and as `locateCheckpoint`, `loadModelProfile` and `startSidecar` do
 */
export async function* openNnsight(
  reference: string,
  {
    python,
    device = "auto",
    dtype = "float32",
    remote = false,
    hub,
    env = process.env,
    signal,
  }: OpenNnsightOptions = {},
): AsyncGenerator<OpeningEvent, BackendWith<"states">> {
  if (remote) checkRemote(reference, env);
  const choice = remote ? PROFILE_FILES : undefined;
  const { path, commit } = yield* reportPull(reference, locateCheckpoint(reference, { hub, choice, signal }));
  if (isGgufPath(path))
    throw new SepError(
      "unsupported-model",
      `--backend nnsight reads checkpoints in Hugging Face format, and ${path} is GGUF. Use --backend local, or a folder with safetensors weights.`,
    );
  const profile = await loadModelProfile(path, { id: reference, revision: commit }, { signal });
  const { sha256 } = profile.tokenizer;
  const fingerprints: Record<string, string> = remote
    ? { tokenizer_sha256: sha256, computed_by: `NDIF: ${reference}` }
    : {
        tokenizer_sha256: sha256,
        weights_sha256: await drain((await openCheckpointFolder(path)).fingerprintWeights()),
      };
  const onNdif = remote ? parseHubModelId(reference) : null;
  const request: OpenRequest = {
    kind: "open",
    model: onNdif?.repo ?? path,
    folder: path,
    // NDIF keys its models by the branch that they were loaded from
    revision: onNdif === null || onNdif.revision === "main" ? null : onNdif.revision,
    device,
    dtype,
    remote,
  };
  const sidecar = yield* reportStart(startSidecar(request, { python, env, signal }));
  try {
    const states = createNnsightBackend({ sidecar, profile, fingerprints });
    return { name: states.name, states, [Symbol.asyncDispose]: () => sidecar[Symbol.asyncDispose]() };
  } catch (error) {
    await sidecar[Symbol.asyncDispose]();
    throw error;
  }
}

function checkRemote(reference: string, env: Readonly<Record<string, string | undefined>>): void {
  if (parseHubModelId(reference) === null || reference === "pocket")
    throw new SepError(
      "bad-option",
      `Got --ndif with --model ${reference}, expected a model on the Hub that NDIF serves, such as openai-community/gpt2.`,
    );
  if (!env.NDIF_API_KEY)
    throw new SepError(
      "bad-option",
      "Got --ndif, and NDIF_API_KEY is not set. Set it to your NDIF key, or leave out --ndif to run the model here.",
    );
}

/** Notes on what the process does before it is ready. */
async function* reportStart(
  starting: AsyncGenerator<string, Sidecar>,
): AsyncGenerator<OpeningEvent, Sidecar> {
  const at = { step: "server", part: "nnsight" } as const;
  const sidecar = yield* reportServer(starting, at.part);
  const { model } = sidecar;
  const versions = ["nnsight", "torch", "transformers"].map((name) => `${name} ${model.versions[name]}`);
  yield {
    kind: "note",
    ...at,
    message: `${model.architecture} in ${model.dtype} on ${model.device}, blocks at ${model.blocks}: ${versions.join(", ")}`,
  };
  return sidecar;
}

export interface NnsightBackendOptions {
  readonly sidecar: Sidecar;
  /** The model that the sidecar has loaded. */
  readonly profile: ModelProfile;
  /** What identifies weights and tokenizer; part of the manifest and of the states' metadata. */
  readonly fingerprints: Readonly<Record<string, string>>;
}

/** Questions whose requests are queued, so that the process never waits for the next. */
const CONCURRENCY = 2;

/**
 * Reads states in a Python process under nnsight. Whoever started the sidecar must dispose of it.
 * @throws SepError `bad-checkpoint` if the checkpoint's config and what was loaded have different sizes
 */
export function createNnsightBackend({
  sidecar,
  profile,
  fingerprints,
}: NnsightBackendOptions): StateBackend {
  const { model: loaded } = sidecar;
  const { blockCount, hiddenSize } = profile.config;
  if (loaded.block_count !== blockCount || loaded.hidden_size !== hiddenSize)
    throw new SepError(
      "bad-checkpoint",
      `nnsight loaded ${loaded.block_count} blocks of width ${loaded.hidden_size} (${loaded.architecture}), but the checkpoint's config.json states ${blockCount} of width ${hiddenSize}. Use a checkpoint that transformers and this program read in the same way.`,
    );
  const { id, revision } = profile.provenance;
  const made = { ...fingerprints, dtype: loaded.dtype, device: loaded.device };
  return {
    name: "nnsight",
    model: profile,
    identity: { backend: "nnsight", ...made } satisfies Json,
    metadata: {
      model: id,
      ...(revision === null ? {} : { model_revision: revision }),
      ...made,
      ...Object.fromEntries(
        Object.entries(loaded.versions).map(([name, version]) => [`${name}_version`, version]),
      ),
    },
    normState: "residual",
    async *openReader() {
      const folder = await mkdtemp(join(tmpdir(), "sep-nnsight-"));
      let files = 0;
      return {
        concurrency: CONCURRENCY,
        async read(promptIds, answers, { layers, signal }) {
          files += 1;
          const file = join(folder, `${files}.safetensors`);
          const sequences = toSequences(promptIds, answers);
          await sidecar.read({ file, layers, sequences }, signal);
          try {
            const states = await readStates(file, sequences, layers.length * hiddenSize);
            return distribute(states, answers, { layers: layers.length, hiddenSize });
          } finally {
            await rm(file, { force: true });
          }
        },
        [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
      };
    },
  };
}

interface Sequence {
  readonly token_ids: readonly number[];
  readonly positions: readonly number[];
}

/** The prompt's last token is read in the prompt alone: no answer's length changes its rounding. */
function toSequences(promptIds: readonly number[], answers: readonly AnswerToTrace[]): readonly Sequence[] {
  return [
    { token_ids: promptIds, positions: [promptIds.length - 1] },
    ...answers
      .filter(({ indices }) => indices.length > 0)
      .map(({ tokenIds, indices }) => ({ token_ids: [...promptIds, ...tokenIds], positions: indices })),
  ];
}

/** @returns [positions, layers, D] @throws SepError `bad-artifact` for a file of other tokens or another shape */
async function readStates(file: string, sequences: readonly Sequence[], size: number): Promise<Float32Array> {
  const { tensors } = await readSafetensorsHeader(file);
  const [states, tokenIds] = [tensors.get("states"), tensors.get("token_ids")];
  const wanted = sequences.flatMap(({ token_ids, positions }) => positions.map((place) => token_ids[place]));
  const got = tokenIds === undefined ? [] : [...(await readTensor(file, tokenIds))];
  const values = states === undefined ? new Float32Array(0) : await readTensor(file, states);
  if (values.length === wanted.length * size && got.join() === wanted.join()) return values;
  throw new SepError(
    "bad-artifact",
    `nnsight's process wrote states of [${states?.shape ?? "nothing"}] for the tokens ${got.slice(0, 8).join(", ")}, expected ${wanted.length} of ${size} values for ${wanted.slice(0, 8).join(", ")}. This is a bug; please report it.`,
  );
}

function distribute(
  states: Float32Array,
  answers: readonly AnswerToTrace[],
  { layers, hiddenSize }: { readonly layers: number; readonly hiddenSize: number },
): TracedAnswers {
  const size = layers * hiddenSize;
  let row = 0;
  const next = (): Float32Array => {
    row += 1;
    return states.subarray((row - 1) * size, row * size);
  };
  return {
    beforeGeneration: next(),
    answers: answers.map(({ indices }) => stackStates(indices.map(next), layers)),
  };
}
