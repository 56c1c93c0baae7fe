import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelProfile } from "../../checkpoint/model-profile.ts";
import { SepError } from "../../errors.ts";
import type { Json } from "../../formats/json.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import type { AnswerToTrace, TracedAnswers } from "../../states/trace-answers.ts";
import { readTensor } from "../../store/safetensors.ts";
import { readSafetensorsHeader } from "../../store/safetensors-header.ts";
import type { Sidecar } from "./start-sidecar.ts";

export interface NnsightBackendOptions {
  readonly sidecar: Sidecar;
  /** The model that the sidecar has loaded. */
  readonly profile: ModelProfile;
  /** What identifies weights and tokenizer; part of the manifest and of the states' metadata. */
  readonly fingerprints: Readonly<Record<string, string>>;
}

/** Questions whose requests stand in line, so that the process never waits for the next. */
const CONCURRENCY = 2;

/**
 * Reads states in a Python process under nnsight. The sidecar belongs to whoever started it.
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
      `nnsight loaded ${loaded.block_count} blocks of width ${loaded.hidden_size} (${loaded.architecture}), and the checkpoint's config.json states ${blockCount} of width ${hiddenSize}. Use a checkpoint that transformers and this program read alike.`,
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
    async openReader() {
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
            return distribute(states, answers, layers.length * hiddenSize);
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

/** The prompt's last token is read where the prompt stands alone: no answer's length changes its rounding. */
function toSequences(promptIds: readonly number[], answers: readonly AnswerToTrace[]): readonly Sequence[] {
  return [
    { token_ids: promptIds, positions: [promptIds.length - 1] },
    ...answers
      .filter(({ indices }) => indices.length > 0)
      .map(({ tokenIds, indices }) => ({ token_ids: [...promptIds, ...tokenIds], positions: indices })),
  ];
}

/** @returns [positions, layers, D] @throws SepError `bad-artefact` for a file of other tokens or another shape */
async function readStates(file: string, sequences: readonly Sequence[], size: number): Promise<Float32Array> {
  const { tensors } = await readSafetensorsHeader(file);
  const [states, tokenIds] = [tensors.get("states"), tensors.get("token_ids")];
  const wanted = sequences.flatMap(({ token_ids, positions }) => positions.map((place) => token_ids[place]));
  const got = tokenIds === undefined ? [] : [...(await readTensor(file, tokenIds))];
  const values = states === undefined ? new Float32Array(0) : await readTensor(file, states);
  if (values.length === wanted.length * size && got.join() === wanted.join()) return values;
  throw new SepError(
    "bad-artefact",
    `nnsight's process wrote states of [${states?.shape ?? "nothing"}] for the tokens ${got.slice(0, 8).join(", ")}, expected ${wanted.length} of ${size} values for ${wanted.slice(0, 8).join(", ")}. This is a defect: please report it.`,
  );
}

function distribute(states: Float32Array, answers: readonly AnswerToTrace[], size: number): TracedAnswers {
  let row = 0;
  const next = (): Float32Array => {
    row += 1;
    return states.subarray((row - 1) * size, row * size);
  };
  return { beforeGeneration: next(), answers: answers.map(({ indices }) => indices.map(next)) };
}
