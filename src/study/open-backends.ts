import type { Backend, BackendWith } from "../backends/backend.ts";
import { isBackendFile, loadBackend } from "../backends/load-backend.ts";
import { openLocal } from "../backends/local/local-backend.ts";
import { openNnsight } from "../backends/nnsight/open-nnsight.ts";
import { openVllm, type VllmChoice } from "../backends/vllm/open-vllm.ts";
import type { HubOptions } from "../checkpoint/hub/hub.ts";
import type { LoadModelOptions } from "../checkpoint/load-model.ts";
import type { Device } from "../checkpoint/resolve-device.ts";
import { type DeviceChoice, MODEL_DTYPES, type ModelDtype } from "../engine/runtime/device.ts";
import { SepError } from "../errors.ts";
import {
  type BATCH,
  type ENGINE,
  MODEL,
  type NNSIGHT,
  VLLM,
  VLLM_DTYPES,
  VLLM_SERVER,
  type VLLM_STATES,
} from "./settings/backends.ts";
import { defaultOf, type Settings, type SettingsOutput, toFlag } from "./settings/setting.ts";
import type { StudySettings } from "./settings/study.ts";
import type { StepEvent } from "./step.ts";

type ModelSettings = SettingsOutput<Omit<typeof MODEL, "backend">>;
type ServerSettings = SettingsOutput<typeof VLLM & typeof VLLM_SERVER> &
  Partial<SettingsOutput<typeof VLLM_STATES> & Pick<StudySettings, "vllmApi" | "withStates">>;

/** What decides where a model runs; settings of nnsight only if it can be chosen. */
export type BackendSettings = ModelSettings &
  ServerSettings &
  Partial<SettingsOutput<typeof NNSIGHT>> &
  Partial<SettingsOutput<typeof BATCH>> &
  Partial<Pick<StudySettings, "layers">> & { readonly backend: string };

export interface OpenBackendSettings {
  /** Folder of the study, for the logs of started servers. */
  readonly root: string;
  readonly hub?: HubOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The step that it is opened for. */
  readonly step: "generate" | "trace";
}

/**
 * Opens what `--backend` names: the local engine, vLLM, nnsight, or a file of the user's.
 * @throws SepError `bad-option` for settings that contradict each other; those of the backends
 */
export async function* openBackend(
  settings: BackendSettings,
  { root, hub, signal, step }: OpenBackendSettings,
): AsyncGenerator<StepEvent, Backend> {
  const { backend, model, layers = "all" } = settings;
  if (isBackendFile(backend)) {
    const open = await loadBackend(backend);
    return yield* open(model, { root, layers, hub, signal });
  }
  if (backend === "nnsight") {
    const { python, nnsightDevice: device = "auto", ndif: remote = false } = settings;
    const dtype = torchDtypeOf(settings.dtype);
    return yield* openNnsight(model, { python, device, dtype, remote, hub, env: hub?.env, signal });
  }
  const vllm = describeVllm(settings, step);
  if (vllm !== null) return yield* openVllm(model, vllm, { root, layers, hub, signal });
  return yield* openEngine(settings, { hub, signal, step });
}

export interface OpenEngineOptions extends Omit<OpenBackendSettings, "root"> {
  /** What `device` of the settings has been resolved to, if it has. */
  readonly device?: DeviceChoice | Device | undefined;
}

/** The local engine, which samples answers and reads states; a note says what an unsupported dtype means here. */
export async function* openEngine(
  settings: ModelSettings & Partial<SettingsOutput<typeof BATCH>>,
  { hub, device = settings.device, signal, step }: OpenEngineOptions,
): AsyncGenerator<StepEvent, BackendWith<"answers" | "states">> {
  const { dtype: asked } = settings;
  const dtype = localDtypeOf(asked);
  if (asked !== undefined && asked !== dtype) {
    const message = `--dtype ${asked} is float32 here: weights load as the checkpoint has them, in half precision too, and are computed in float32. int8 and int4 take less memory; docs/dtype.md`;
    yield { kind: "note", step, part: "", message };
  }
  return yield* openLocal(settings.model, {
    ...engineOptionsOf(settings),
    device,
    dtype,
    hub,
    signal,
  });
}

const BYTES_PER_GIB = 2 ** 30;

/** Options of the local engine, in its own units. */
export const engineOptionsOf = ({
  device,
  threads,
  memory,
  workers,
  rows,
}: SettingsOutput<typeof ENGINE> & Partial<SettingsOutput<typeof BATCH>>): Pick<
  LoadModelOptions,
  "device" | "threads" | "memoryBytes" | "workers" | "rows"
> => ({
  device,
  threads,
  workers,
  rows,
  memoryBytes: memory === undefined ? undefined : memory * BYTES_PER_GIB,
});

/** The local engine computes checkpoints of half precision in float32. */
export const localDtypeOf = (dtype: ModelSettings["dtype"]): ModelDtype =>
  MODEL_DTYPES.find((name) => name === dtype) ?? "float32";

/**
 * The vLLM servers that the settings name or start; null for another backend.
 * @throws SepError `bad-option` for a dtype that vLLM does not have, or if a server is to be started besides running ones
 */
function describeVllm(
  settings: ServerSettings & { readonly backend: string; readonly dtype: ModelSettings["dtype"] },
  step: OpenBackendSettings["step"],
): VllmChoice | null {
  const { backend, vllmUrl: urls, dtype, vllmTimeout: seconds } = settings;
  if (backend !== "vllm") return null;
  if (dtype !== undefined && !(VLLM_DTYPES as readonly string[]).includes(dtype))
    throw new SepError("bad-option", `Got --dtype ${dtype} with vLLM, expected ${VLLM_DTYPES.join(", ")}.`);
  if (urls !== undefined) refuseServerSettings(settings, urls);
  const withStates = step === "trace" || settings.withStates;
  return {
    urls,
    purpose: settings.vllmStates === "pooling" ? "pooling" : withStates ? "states" : "answers",
    servedName: settings.vllmModel,
    api: settings.vllmApi,
    concurrency: settings.vllmConcurrency,
    limitMs: seconds === undefined ? undefined : seconds * 1_000,
    serve: serverOptionsOf(settings),
  };
}

/** A running server already has its own settings. */
function refuseServerSettings(settings: Readonly<Record<string, unknown>>, urls: string): void {
  const ofServers: Settings = { launch: VLLM.launch, dtype: MODEL.dtype, ...VLLM_SERVER };
  for (const [name, schema] of Object.entries(ofServers))
    if (settings[name] !== defaultOf(schema))
      throw new SepError(
        "bad-option",
        `Got --${toFlag(name)} with --vllm-url ${urls}, but only a vLLM server that sep starts uses it. Omit one of the two.`,
      );
}

/** Options of a vLLM server to be started, named as by its own command. */
export const serverOptionsOf = (
  settings: SettingsOutput<typeof VLLM_SERVER> & { readonly dtype: string | undefined },
): NonNullable<VllmChoice["serve"]> => ({
  gpuMemoryUtilization: settings.gpuMemUtilization,
  maxNumSeqs: settings.maxNumSeqs,
  tensorParallel: settings.tensorParallel,
  enforceEager: settings.enforceEager,
  dtype: settings.dtype,
  maxModelLength: settings.maxModelLen,
});

/** The dtypes that both PyTorch and `--dtype` have. */
const TORCH_DTYPES = ["auto", "float32", "bfloat16", "float16"] as const;

function torchDtypeOf(asked: ModelSettings["dtype"] = "float32"): string {
  const dtype = TORCH_DTYPES.find((name) => name === (asked === "half" ? "float16" : asked));
  if (dtype !== undefined) return dtype;
  throw new SepError(
    "bad-option",
    `Got --dtype ${asked} with --backend nnsight, expected ${TORCH_DTYPES.join(", ")}.`,
  );
}
