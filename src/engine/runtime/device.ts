import type { InferenceSession } from "onnxruntime-node";

/** What a model can be computed on: the processor, or a graphics card by one of onnxruntime's providers. */
export const DEVICE_NAMES = ["cpu", "cuda", "webgpu", "coreml", "dml"] as const;
export type DeviceName = (typeof DEVICE_NAMES)[number];

/** How the linear layers' weights are kept and multiplied; all else is float32. */
export const MODEL_DTYPES = ["float32", "int8", "int4"] as const;
export type ModelDtype = (typeof MODEL_DTYPES)[number];

/** What may be asked for: a device, or the first of {@link AUTO_DEVICES} that works here. */
export type DeviceChoice = DeviceName | "auto";
export const DEVICE_CHOICES: readonly DeviceChoice[] = [...DEVICE_NAMES, "auto"];

/**
 * What `auto` tries before it takes the processor. The others must be asked for: Core ML has kernels for a part of the
 * graph only, and onnxruntime calls WebGPU experimental; besides, a driver that imitates a graphics card on the
 * processor cannot be told from a real one.
 */
export const AUTO_DEVICES: readonly DeviceName[] = ["cuda", "dml"];

/** What not every device's kernels can do; the graph is built without what its device lacks. */
export interface DeviceOperators {
  /** FusedMatMul: a product of matrices with a transpose and a factor. Where it is missing, the processor does it. */
  readonly fusedMatMul: boolean;
  /** Products over no columns, which are zero. WebGPU's takes the process down. */
  readonly emptyMatMul: boolean;
  /** Reading rows of float16 and bfloat16 tables. Where it is missing, the tables are widened when they are loaded. */
  readonly halfLookUp: boolean;
  /** Computes in the process's own memory, which large tables would fill. */
  readonly sharesMemory: boolean;
}

/** What the engine knows of a device. */
export interface DeviceTraits {
  /** How onnxruntime is asked for it. */
  readonly provider: InferenceSession.ExecutionProviderConfig;
  /** What it takes to have it; completes "It needs …". */
  readonly needs: string;
  /** Arithmetic that may be asked of it. */
  readonly dtypes: readonly ModelDtype[] | "all";
  readonly operators: DeviceOperators;
  /** Variables that its libraries must find when they are loaded. */
  readonly environment: Readonly<Record<string, string>>;
}

const GRAPHICS_CARD = {
  dtypes: ["float32"],
  operators: { fusedMatMul: false, emptyMatMul: false, halfLookUp: false, sharesMemory: false },
  environment: {},
} as const;
/** COREML_FLAG_CREATE_MLPROGRAM and COREML_FLAG_USE_CPU_AND_GPU: the older format and the Neural Engine are float16. */
const COREML_FLOAT32 = 0x10 | 0x20;

export const DEVICES: Readonly<Record<DeviceName, DeviceTraits>> = {
  cpu: {
    provider: "cpu",
    needs: "an installation of onnxruntime-node that is whole: npm rebuild onnxruntime-node",
    dtypes: "all",
    operators: { fusedMatMul: true, emptyMatMul: true, halfLookUp: true, sharesMemory: true },
    environment: {},
  },
  cuda: {
    ...GRAPHICS_CARD,
    provider: "cuda",
    needs:
      "Linux on x64, an NVIDIA card, CUDA 12 and cuDNN 9 where the loader finds them, and onnxruntime's CUDA libraries: ONNXRUNTIME_NODE_INSTALL=true npm rebuild onnxruntime-node",
    operators: { fusedMatMul: true, emptyMatMul: false, halfLookUp: true, sharesMemory: false },
    // the binding cannot switch TensorFloat-32 off, which has ten bits of mantissa and is on by default
    environment: { NVIDIA_TF32_OVERRIDE: "0" },
  },
  webgpu: {
    ...GRAPHICS_CARD,
    provider: "webgpu",
    needs: "a graphics driver: Vulkan on Linux (x64 only), Direct3D 12 on Windows, Metal on macOS",
  },
  coreml: {
    ...GRAPHICS_CARD,
    provider: { name: "coreml", coreMlFlags: COREML_FLOAT32 },
    needs: "macOS 12 or newer",
  },
  dml: {
    ...GRAPHICS_CARD,
    provider: "dml",
    needs: "Windows 10 or newer and a graphics card with Direct3D 12",
    operators: { fusedMatMul: true, emptyMatMul: false, halfLookUp: false, sharesMemory: false },
  },
};
