import { openLocalBackend } from "../backends/local/open-local-backend.ts";
import type { OpenModelOptions } from "../backends/local/open-model.ts";
import { openNnsight } from "../backends/nnsight/open-nnsight.ts";
import type { OpenBackend } from "../backends/open-backend.ts";
import { openVllmAnswers, openVllmStates } from "../backends/vllm/open-vllm.ts";
import type { VllmChoice } from "../backends/vllm/vllm-choice.ts";
import type { HubOptions } from "../checkpoint/hub/hub.ts";
import { MODEL_DTYPES, type ModelDtype } from "../engine/language-model.ts";
import type { DeviceChoice } from "../engine/runtime/device.ts";
import type { Device } from "../engine/runtime/resolve-device.ts";
import { SepError } from "../errors.ts";
import type { AnswerBackend } from "../samples/answer-backend.ts";
import type { StateBackend } from "../states/state-backend.ts";
import {
  ENGINE,
  type MODEL,
  NNSIGHT,
  type VLLM,
  VLLM_DTYPES,
  type VLLM_SERVER,
} from "./settings/backends.ts";
import { resolveSettings, type SettingsOutput, toFlag } from "./settings/setting.ts";
import type { StudySettings } from "./settings/study.ts";
import type { StepEvent } from "./step.ts";

type ModelSettings = SettingsOutput<Omit<typeof MODEL, "backend">>;
type ServerSettings = SettingsOutput<typeof VLLM & typeof VLLM_SERVER> &
  Partial<Pick<StudySettings, "vllmApi" | "vllmStates" | "vllmStatesUrl">>;

/** What samples answers. */
export type AnswerBackendSettings = ModelSettings & ServerSettings & Pick<StudySettings, "backend">;

/** What reads hidden states. */
export type StateBackendSettings = ModelSettings &
  ServerSettings &
  SettingsOutput<typeof NNSIGHT> &
  Pick<StudySettings, "layers">;

export interface OpenBackendOptions {
  /** Folder of the study, for the logs of servers that are started. */
  readonly root: string;
  readonly hub?: HubOptions | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens what samples answers.
 * @throws SepError `bad-option` for settings that contradict each other; those of the backends
 */
export async function* openAnswerBackend(
  settings: AnswerBackendSettings,
  { root, hub, signal }: OpenBackendOptions,
): AsyncGenerator<StepEvent, OpenBackend<AnswerBackend>> {
  const vllm = describeVllm(settings);
  if (vllm !== null) return yield* openVllmAnswers(settings.model, vllm, { root, hub, signal });
  return yield* openLocal(settings, { hub, signal, step: "generate" });
}

/**
 * Opens what reads hidden states.
 * @throws SepError as {@link openAnswerBackend}
 */
export async function* openStateBackend(
  settings: StateBackendSettings,
  { root, hub, signal }: OpenBackendOptions,
): AsyncGenerator<StepEvent, OpenBackend<StateBackend>> {
  const { model, layers } = settings;
  checkNnsight(settings);
  if (settings.backend === "nnsight") {
    const { python, nnsightDevice: device, ndif: remote } = settings;
    const dtype = torchDtypeOf(settings.dtype);
    return yield* openNnsight(model, { python, device, dtype, remote, hub, env: hub?.env, signal });
  }
  const vllm = describeVllm(settings);
  if (vllm !== null) return yield* openVllmStates(model, layers, vllm, { root, hub, signal });
  return yield* openLocal(settings, { hub, signal, step: "trace" });
}

export interface OpenLocalOptions extends Omit<OpenBackendOptions, "root"> {
  /** What the settings' own `device` has been resolved to, if it has. */
  readonly device?: DeviceChoice | Device | undefined;
  /** What it is opened for. */
  readonly step: "generate" | "trace";
}

/** The local engine, which samples answers and reads states; notes what a dtype that it does not have means here. */
export async function* openLocal(
  settings: ModelSettings,
  { hub, device = settings.device, signal, step }: OpenLocalOptions,
): ReturnType<typeof openLocalBackend> {
  const { dtype: asked } = settings;
  const dtype = localDtypeOf(asked);
  if (asked !== undefined && asked !== dtype) {
    const message = `--dtype ${asked} is float32 here: weights load as the checkpoint has them, in half precision too, and are computed in float32. int8 and int4 take less memory; docs/dtype.md`;
    yield { kind: "note", step, part: "", message };
  }
  return yield* openLocalBackend(settings.model, {
    ...engineOptionsOf(settings),
    device,
    dtype,
    hub,
    signal,
  });
}

const BYTES_PER_GIB = 2 ** 30;

/** How the local engine is to run a model, in its own units. */
export const engineOptionsOf = ({
  device,
  threads,
  memory,
}: SettingsOutput<typeof ENGINE>): Pick<OpenModelOptions, "device" | "threads" | "memoryBytes"> => ({
  device,
  threads,
  memoryBytes: memory === undefined ? undefined : memory * BYTES_PER_GIB,
});

/** The local engine computes checkpoints of half precision in float32. */
export const localDtypeOf = (dtype: ModelSettings["dtype"]): ModelDtype =>
  MODEL_DTYPES.find((name) => name === dtype) ?? "float32";

/**
 * The vLLM servers that the settings name or start; null for another backend.
 * @throws SepError `bad-option` for a dtype that vLLM does not have, or a server to start beside ones that run
 */
function describeVllm(
  settings: ServerSettings & { readonly backend: string; readonly dtype: ModelSettings["dtype"] },
): VllmChoice | null {
  const { backend, launch, vllmUrl: urls, dtype, vllmTimeout: seconds } = settings;
  if (launch && (backend !== "vllm" || urls !== undefined))
    throw new SepError(
      "bad-option",
      `Got --launch with ${urls === undefined ? `--backend ${backend}` : `--vllm-url ${urls}`}, expected --backend vllm and no server's address: it starts one.`,
    );
  if (backend !== "vllm") return null;
  if (dtype !== undefined && !(VLLM_DTYPES as readonly string[]).includes(dtype))
    throw new SepError("bad-option", `Got --dtype ${dtype} with vLLM, expected ${VLLM_DTYPES.join(", ")}.`);
  return {
    urls,
    statesUrls: settings.vllmStatesUrl,
    servedName: settings.vllmModel,
    api: settings.vllmApi,
    stateRoute: settings.vllmStates,
    concurrency: settings.vllmConcurrency,
    limitMs: seconds === undefined ? undefined : seconds * 1_000,
    serve: serverOptionsOf(settings),
  };
}

/** How a vLLM server is to be started, in the words of its own command. */
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

/** What both PyTorch and `--dtype` know. */
const TORCH_DTYPES = ["auto", "float32", "bfloat16", "float16"] as const;

function torchDtypeOf(asked: ModelSettings["dtype"] = "float32"): string {
  const dtype = TORCH_DTYPES.find((name) => name === (asked === "half" ? "float16" : asked));
  if (dtype !== undefined) return dtype;
  throw new SepError(
    "bad-option",
    `Got --dtype ${asked} with --backend nnsight, expected ${TORCH_DTYPES.join(", ")}.`,
  );
}

/** @throws SepError `bad-option` for settings of nnsight with another backend, and of the engine with nnsight */
function checkNnsight(settings: StateBackendSettings): void {
  const { backend: _chosen, ...own } = NNSIGHT;
  const differing = <Name extends string>(defaults: { readonly [N in Name]: unknown }): Name | undefined =>
    (Object.keys(defaults) as Name[]).find(
      (name) => (settings as Readonly<Record<string, unknown>>)[name] !== defaults[name],
    );
  const isNnsight = settings.backend === "nnsight";
  const idle = differing<string>(resolveSettings(isNnsight ? ENGINE : own, {}));
  if (idle === undefined) return;
  throw new SepError(
    "bad-option",
    isNnsight
      ? `Got --${toFlag(idle)} with --backend nnsight, which does not read it. Its device is --nnsight-device.`
      : `Got --${toFlag(idle)}, which only --backend nnsight reads.`,
  );
}
