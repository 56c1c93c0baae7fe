import { deviceUnavailable } from "./device.ts";
import { readExternalData, wrapSession } from "./ort-session.ts";
import type { Runtime } from "./runtime.ts";

export interface OpenOrtWebOptions {
  /** Threads of all sessions; more than one needs a page that is isolated from other origins. */
  readonly threads?: number;
  /** Folder with onnxruntime-web's `.mjs` and `.wasm` files, or where each of the two is; beside the bundle by default. */
  readonly wasmPaths?: string | { readonly mjs?: string; readonly wasm?: string };
}

/**
 * onnxruntime's WebAssembly build, for browsers; it runs in Node too. The package `onnxruntime-web` is loaded here, and
 * only here: who does not call this need not have it. Its integer kernels add in 32 bits and are exact everywhere.
 */
export async function openOrtWeb({ threads = 1, wasmPaths }: OpenOrtWebOptions = {}): Promise<Runtime> {
  const { env, InferenceSession, Tensor } = await import("onnxruntime-web/wasm");
  env.wasm.numThreads = threads;
  env.logLevel = "error";
  if (wasmPaths !== undefined) env.wasm.wasmPaths = wasmPaths;
  return {
    name: "onnxruntime-web",
    version: env.versions.web ?? "unknown version",
    async createSession(model, { device = "cpu", memory = "planned", optimise = true }) {
      if (device !== "cpu") throw deviceUnavailable(device, "is not part of onnxruntime's WebAssembly build");
      const settings = {
        executionProviders: ["wasm"],
        graphOptimizationLevel: optimise ? "all" : "disabled",
        enableMemPattern: memory === "planned",
        enableCpuMemArena: memory !== "returned",
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
