import { deviceUnavailable } from "./device.ts";
import { readExternalData, wrapSession } from "./ort-session.ts";
import type { Runtime } from "./runtime.ts";

export interface OpenOrtWebOptions {
  /** Threads of all sessions; more than one needs a page that is isolated from other origins. */
  readonly threads?: number;
  /** Folder with onnxruntime-web's `.mjs` and `.wasm` files, or where each of the two is; beside the bundle by default. */
  readonly wasmPaths?: string | { readonly mjs?: string; readonly wasm?: string };
  /** The build's `.wasm` file, where the page has fetched it itself. */
  readonly wasmBinary?: ArrayBuffer;
  /** `webgpu` computes on a GPU as well, and needs a browser whose WebAssembly can wait for it; see {@link canWaitForGpu}. */
  readonly build?: WebBuild;
}

/**
 * Bytes of weights that a page can hold: it has them twice, as they were given and as float32 numbers, which takes three
 * times the bytes of half-precision ones, and WebAssembly has 4 GB.
 */
export const MOST_WEB_WEIGHTS = 1_200_000_000;

/** The builds of onnxruntime-web that are used here. */
export type WebBuild = "wasm" | "webgpu";

/** Whether WebAssembly can be suspended (JSPI), which onnxruntime's smaller WebGPU build relies on. */
export const canWaitForGpu = (): boolean =>
  "Suspending" in (globalThis as unknown as { readonly WebAssembly: object }).WebAssembly;

/**
 * onnxruntime's WebAssembly build, for browsers; it runs in Node too. The package `onnxruntime-web` is loaded here, and
 * only here: who does not call this need not have it. Its integer kernels add in 32 bits and are exact everywhere.
 */
export async function openOrtWeb({
  threads = 1,
  wasmPaths,
  wasmBinary,
  build = "wasm",
}: OpenOrtWebOptions = {}): Promise<Runtime> {
  const { env, InferenceSession, Tensor } = await importBuild(build);
  env.wasm.numThreads = threads;
  env.logLevel = "error";
  if (wasmPaths !== undefined) env.wasm.wasmPaths = wasmPaths;
  if (wasmBinary !== undefined) env.wasm.wasmBinary = wasmBinary;
  return {
    name: "onnxruntime-web",
    version: env.versions.web ?? "unknown version",
    // the smaller build lacks kernels that the other has
    castsHalf: build === "wasm",
    async createSession(model, { device = "cpu", memory = "planned", optimise = true }) {
      if (device !== "cpu" && device !== build)
        throw deviceUnavailable(device, `is not part of onnxruntime's ${BUILD_NAMES[build]} build`);
      const settings = {
        executionProviders: [device === "cpu" ? "wasm" : "webgpu"],
        graphOptimizationLevel: optimise ? "all" : "disabled",
        enableMemPattern: memory === "planned",
        enableCpuMemArena: memory !== "returned",
        logSeverityLevel: 3, // errors; a browser's console shows all else as an error, too
      } as const;
      const session =
        typeof model === "string"
          ? await InferenceSession.create(model, settings)
          : await InferenceSession.create(model.graph, {
              ...settings,
              externalData: await readExternalData(model.sources),
            });
      return wrapSession(session, { Tensor, writesInPlace: false });
    },
  };
}

const BUILD_NAMES = { wasm: "WebAssembly", webgpu: "WebGPU" } as const satisfies Record<WebBuild, string>;

const importBuild = (build: WebBuild): Promise<typeof import("onnxruntime-web/wasm")> =>
  build === "wasm" ? import("onnxruntime-web/wasm") : import("onnxruntime-web/jspi");
