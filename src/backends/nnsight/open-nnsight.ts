import { openCheckpointFolder } from "../../checkpoint/checkpoint.ts";
import type { HubOptions } from "../../checkpoint/hub/hub.ts";
import { parseHubModelId } from "../../checkpoint/hub/hub-model-id.ts";
import { loadModelProfile, PROFILE_FILES } from "../../checkpoint/load-model-profile.ts";
import { isGgufPath, locateCheckpoint } from "../../checkpoint/locate-checkpoint.ts";
import { SepError } from "../../errors.ts";
import type { StateBackend } from "../../states/state-backend.ts";
import type { StepEvent } from "../../study/step.ts";
import { reportPull } from "../local/open-model.ts";
import type { OpenBackend } from "../open-backend.ts";
import { createNnsightBackend } from "./nnsight-backend.ts";
import type { OpenRequest } from "./sidecar-message.ts";
import { type Sidecar, startSidecar } from "./start-sidecar.ts";

export interface OpenNnsightOptions {
  /** A Python that has nnsight; `uv` makes one when not given. */
  readonly python?: string | undefined;
  /** PyTorch's name of a device, or `auto`: cuda where there is one, else the processor. */
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
): AsyncGenerator<StepEvent, OpenBackend<StateBackend>> {
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
        weights_sha256: await (await openCheckpointFolder(path)).fingerprintWeights(),
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
    const backend = createNnsightBackend({ sidecar, profile, fingerprints });
    return { backend, [Symbol.asyncDispose]: () => sidecar[Symbol.asyncDispose]() };
  } catch (error) {
    await sidecar[Symbol.asyncDispose]();
    throw error;
  }
}

function checkRemote(reference: string, env: Readonly<Record<string, string | undefined>>): void {
  if (parseHubModelId(reference) === null || reference === "pocket")
    throw new SepError(
      "bad-option",
      `Got --ndif with --model ${reference}, expected a model of the hub that NDIF serves, such as openai-community/gpt2.`,
    );
  if (!env.NDIF_API_KEY)
    throw new SepError(
      "bad-option",
      "Got --ndif, and NDIF_API_KEY is not set. Set it to your key of NDIF, or compute here without --ndif.",
    );
}

/** What the process does before it is ready, as notes. */
async function* reportStart(starting: AsyncGenerator<string, Sidecar>): AsyncGenerator<StepEvent, Sidecar> {
  const at = { step: "trace", part: "nnsight" } as const;
  try {
    for (;;) {
      const next = await starting.next();
      if (!next.done) {
        yield { kind: "note", ...at, message: next.value };
        continue;
      }
      const { model } = next.value;
      const versions = ["nnsight", "torch", "transformers"].map((name) => `${name} ${model.versions[name]}`);
      yield {
        kind: "note",
        ...at,
        message: `${model.architecture} in ${model.dtype} on ${model.device}, blocks at ${model.blocks}: ${versions.join(", ")}`,
      };
      return next.value;
    }
  } finally {
    await starting.return(undefined as never);
  }
}
