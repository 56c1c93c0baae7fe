import { SepError } from "../../errors.ts";

/** What a model can be computed on: the CPU, or a GPU by one of onnxruntime's providers. */
export const DEVICE_NAMES = ["cpu", "cuda", "webgpu", "coreml", "dml"] as const;
export type DeviceName = (typeof DEVICE_NAMES)[number];

/** How the linear layers' weights are kept and multiplied; all else is float32. */
export const MODEL_DTYPES = ["float32", "int8", "int4"] as const;
export type ModelDtype = (typeof MODEL_DTYPES)[number];

/** A device, or `auto`, the first of `AUTO_DEVICES` that works here. */
export type DeviceChoice = DeviceName | "auto";
export const DEVICE_CHOICES: readonly DeviceChoice[] = [...DEVICE_NAMES, "auto"];

/**
 * What `auto` tries before it takes the CPU. The others must be asked for: Core ML has kernels for only part of the
 * graph, and onnxruntime calls WebGPU experimental; besides, a driver that imitates a GPU on the CPU cannot be told from
 * a real one.
 */
export const AUTO_DEVICES: readonly DeviceName[] = ["cuda", "dml"];

/** What only some devices' kernels can do; the graph is built without what its device lacks. */
export interface DeviceOperators {
  /** FusedMatMul: a matrix product with a transpose. Where it is missing, onnxruntime uses the CPU. */
  readonly fusedMatMul: boolean;
  /** Matrix products over no columns, which are zero. On WebGPU they crash the process. */
  readonly emptyMatMul: boolean;
  /** Looking up rows of float16 and bfloat16 tables. Where it is missing, the tables are widened when they are loaded. */
  readonly halfLookUp: boolean;
  /** Computes in the process's own memory, which large tables would fill. */
  readonly sharesMemory: boolean;
}

/** What the engine knows of a device. */
interface DeviceTraits {
  /** onnxruntime's execution provider. */
  readonly provider: DeviceName | { readonly name: "coreml"; readonly coreMlFlags: number };
  /** What it takes to have it; completes "It needs …". */
  readonly needs: string;
  /** What it computes in. */
  readonly dtypes: readonly ModelDtype[] | "all";
  readonly operators: DeviceOperators;
  /** Variables that its libraries must find when they are loaded. */
  readonly environment: Readonly<Record<string, string>>;
}

const GPU = {
  dtypes: ["float32"],
  operators: { fusedMatMul: false, emptyMatMul: false, halfLookUp: false, sharesMemory: false },
  environment: {},
} as const;
/** COREML_FLAG_CREATE_MLPROGRAM and COREML_FLAG_USE_CPU_AND_GPU: the older format and the Neural Engine are float16. */
const COREML_FLOAT32 = 0x10 | 0x20;

export const DEVICES: Readonly<Record<DeviceName, DeviceTraits>> = {
  cpu: {
    provider: "cpu",
    needs: "a complete installation of onnxruntime-node; install this package again",
    dtypes: "all",
    operators: { fusedMatMul: true, emptyMatMul: true, halfLookUp: true, sharesMemory: true },
    environment: {},
  },
  cuda: {
    ...GPU,
    provider: "cuda",
    needs:
      "Linux on x64, an NVIDIA card, CUDA 12 and cuDNN 9 where the loader finds them, and onnxruntime's CUDA libraries: `ONNXRUNTIME_NODE_INSTALL=true npm rebuild --ignore-scripts=false onnxruntime-node`",
    operators: { fusedMatMul: true, emptyMatMul: false, halfLookUp: true, sharesMemory: false },
    // the binding cannot switch TensorFloat-32 off, which has ten bits of mantissa and is on by default
    environment: { NVIDIA_TF32_OVERRIDE: "0" },
  },
  webgpu: {
    ...GPU,
    provider: "webgpu",
    needs: "a graphics driver: Vulkan on Linux (x64 only), Direct3D 12 on Windows, Metal on macOS",
  },
  coreml: {
    ...GPU,
    provider: { name: "coreml", coreMlFlags: COREML_FLOAT32 },
    needs: "macOS 12 or newer",
  },
  dml: {
    ...GPU,
    provider: "dml",
    needs: "Windows 10 or newer and a GPU with Direct3D 12",
    operators: { fusedMatMul: true, emptyMatMul: false, halfLookUp: false, sharesMemory: false },
  },
};

/**
 * The error of a device that was asked for and does not work. Nothing is computed elsewhere in its place.
 * @param problem what is wrong, in the words of whoever noticed; follows "The device … "
 */
export function deviceUnavailable(device: DeviceName, problem: string, cause?: unknown): SepError {
  return new SepError(
    "device-unavailable",
    `The device ${device} ${problem}. It needs ${DEVICES[device].needs}. Leave --device out to compute on the CPU; \`sep doctor\` shows which devices work here.`,
    { cause },
  );
}

/** Rethrows onnxruntime's error, as one of the device unless that is the CPU. */
export function blameDevice(device: DeviceName, problem: string, error: unknown): never {
  if (device === "cpu") throw error;
  throw deviceUnavailable(device, `${problem}: ${describeFailure(error)}`, error);
}

/**
 * What a device computed, unless all of it is one number: when a WebGPU device runs out of memory, onnxruntime only logs
 * it and goes on with buffers that are not there.
 * @throws SepError `device-unavailable`
 */
export function requireContent(device: DeviceName, values: Float32Array): Float32Array {
  if (device === "cpu" || values.some((value) => value !== values[0])) return values;
  throw deviceUnavailable(
    device,
    `computed ${values.length} times the same number; its memory may not suffice`,
  );
}

/** What onnxruntime says went wrong, on one line, without the place in its sources and the condition that failed. */
export function describeFailure(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const reason = message
    .replace(/\s+/g, " ")
    .replace(/^.* was false\.? ?/, "")
    .replace(/[. ]+$/, "");
  return reason.length <= LONGEST_REASON ? reason : `${reason.slice(0, LONGEST_REASON - 1)}…`;
}

const LONGEST_REASON = 300;
