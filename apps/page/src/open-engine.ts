import {
  canWaitForGpu,
  type LanguageModel,
  type LogitLens,
  memorySource,
  openLogitLens,
  openModel,
  openOrtWeb,
  type Runtime,
  type WebBuild,
} from "semantic-entropy-probes/engine";
import { type DecisionPoint, type Probe, parseProbe, requireProbeFits } from "semantic-entropy-probes/probe";
import { type Files, loadArchives, readSite } from "./download.ts";
import type { EngineChoice, Request } from "./messages.ts";
import { isWeights, readOwnFiles } from "./own-files.ts";

/** The model of this page with everything that is known about it. */
export interface OpenEngine {
  readonly model: LanguageModel;
  readonly lens: LogitLens;
  /** null for a chosen model without one. */
  readonly probe: Probe | null;
  /** By layer; null where none could be fitted. */
  readonly layerProbes: readonly (Probe | null)[];
  readonly study: PageStudy;
  readonly parameters: number;
  readonly device: "webgpu" | "wasm";
  readonly because: string;
}

/** `study.json`, as `sep page` writes it; a chosen model has none. */
interface PageStudy {
  readonly model: string;
  readonly calibrationQuestions: number;
  readonly curve: readonly DecisionPoint[];
  readonly examples: readonly string[];
  readonly blindSpots: readonly { readonly question: string; readonly answer: string }[];
}

/**
 * Downloads and opens everything, or what the reader has chosen. WebGPU is tried where the browser can, and is taken where a pass is faster on it than on
 * WebAssembly, or where it was asked for; `because` says what happened.
 */
export async function openEngine(
  { engine: choice, files: chosen }: Omit<Extract<Request, { readonly kind: "open" }>, "kind">,
  report: (progress: { readonly loaded: number; readonly total: number; readonly step: string }) => void,
): Promise<OpenEngine> {
  const refusal = choice === "wasm" ? "WebAssembly was asked for." : await refuseGpu(choice);
  const build: WebBuild = refusal === null ? "webgpu" : "wasm";
  const own = chosen === null ? null : await readOwnFiles(chosen);
  const archives = await loadArchives(
    await readSite(),
    own === null ? [build, "model"] : [build],
    (loaded, total) => report({ loaded, total, step: "Downloading" }),
  );
  const model = own ?? (archives.model as Files);
  report({ loaded: 1, total: 1, step: "Starting the engine" });
  const runtime = await openRuntime(build, archives[build] as Files);
  const weights = Object.entries(model).filter(([name]) => isWeights(name));
  const files = {
    config: requireFile(model, "config.json"),
    tokenizer: requireFile(model, "tokenizer.json"),
    tokenizerConfig: model["tokenizer_config.json"],
    chatTemplate: model["chat_template.jinja"],
    generationConfig: model["generation_config.json"],
    weights: weights.map(([name, bytes]) => memorySource(name, bytes)),
  };
  const study: PageStudy =
    model["study.json"] === undefined
      ? { ...NO_STUDY, model: nameModel(model) }
      : JSON.parse(readText(model, "study.json"));
  const open = (device: "cpu" | "webgpu"): Promise<LanguageModel> =>
    openModel(runtime, files, { id: study.model, device });
  const opened = await chooseDevice(open, { choice, refusal });
  const { config, provenance } = opened.model;
  const probe = model["probe.json"] === undefined ? null : await readProbe(model, "probe");
  if (probe !== null) requireAccuracyProbe(probe, { width: config.hiddenSize, source: sourceOf(provenance) });
  return {
    ...opened,
    study,
    lens: await openLogitLens(runtime, files),
    probe,
    layerProbes: await Promise.all(
      Array.from({ length: config.blockCount + 1 }, (_, layer) =>
        model[`layer-${layer}.json`] !== undefined
          ? readProbe(model, `layer-${layer}`)
          : // a chosen probe comes without those of the other layers
            layer === probe?.layer && own !== null
            ? probe
            : null,
      ),
    ),
    parameters: countParameters(weights.map(([, bytes]) => bytes)),
  };
}

async function chooseDevice(
  open: (device: "cpu" | "webgpu") => Promise<LanguageModel>,
  { choice, refusal }: { readonly choice: EngineChoice; readonly refusal: string | null },
): Promise<Pick<OpenEngine, "model" | "device" | "because">> {
  if (refusal !== null) return { model: await open("cpu"), device: "wasm", because: refusal };
  let gpu: LanguageModel | null = null;
  try {
    gpu = await open("webgpu");
    const onGpu = await timePass(gpu);
    if (choice === "webgpu") return { model: gpu, device: "webgpu", because: "WebGPU was asked for." };
    const cpu = await open("cpu");
    const onCpu = await timePass(cpu);
    const compared = `A pass takes ${onGpu.toFixed(1)} ms on WebGPU and ${onCpu.toFixed(1)} ms on WebAssembly.`;
    const [kept, other] = onGpu < onCpu ? [gpu, cpu] : [cpu, gpu];
    await other[Symbol.asyncDispose]();
    return { model: kept, device: kept === gpu ? "webgpu" : "wasm", because: compared };
  } catch (error) {
    await close(gpu);
    const reason = `WebGPU failed: ${error instanceof Error ? error.message : String(error)}`;
    return { model: await open("cpu"), device: "wasm", because: reason };
  }
}

/** A device that has failed may fail here again. */
async function close(model: LanguageModel | null): Promise<void> {
  try {
    await model?.[Symbol.asyncDispose]();
  } catch {
    // the reason of the first failure is the one to show
  }
}

/** Milliseconds of a pass over one token, once its kernels are compiled. */
async function timePass(model: LanguageModel): Promise<number> {
  const tokenIds = [0];
  for (let warmUp = 0; warmUp < 2; warmUp++) await model.trace(tokenIds);
  const begun = performance.now();
  for (let pass = 0; pass < TIMED_PASSES; pass++) await model.trace(tokenIds);
  return (performance.now() - begun) / TIMED_PASSES;
}

const TIMED_PASSES = 3;

interface GpuAdapter {
  readonly info?: { readonly architecture?: string; readonly isFallbackAdapter?: boolean };
}

/** Why WebGPU is not used here; null where it is tried. */
async function refuseGpu(choice: EngineChoice): Promise<string | null> {
  const { gpu } = navigator as { readonly gpu?: { requestAdapter(): Promise<GpuAdapter | null> } };
  if (gpu === undefined) return "This browser has no WebGPU.";
  if (!canWaitForGpu()) return "This browser's WebAssembly cannot wait for WebGPU (JSPI).";
  const adapter = await gpu.requestAdapter().catch(() => null);
  if (adapter === null) return "This browser has WebGPU, but no graphics adapter for it.";
  const { architecture, isFallbackAdapter } = adapter.info ?? {};
  const isImitated = isFallbackAdapter === true || architecture === "swiftshader";
  // it computes, two hundred times slower
  return isImitated && choice === "auto" ? "The only graphics adapter here is imitated on the CPU." : null;
}

/**
 * The runtime, made to let messages through between passes: onnxruntime computes without a pause, and a request to stop
 * would wait until everything is done.
 */
async function openRuntime(build: WebBuild, files: Files): Promise<Runtime> {
  const wasm = requireFile(files, "ort.wasm");
  const runtime = await openOrtWeb({ build, wasmBinary: wasm.slice().buffer as ArrayBuffer });
  return {
    ...runtime,
    async createSession(model, options) {
      const session = await runtime.createSession(model, options);
      return {
        inputs: session.inputs,
        outputNames: session.outputNames,
        async run(feeds, outputs) {
          const computed = await session.run(feeds, outputs);
          await nextTask();
          return computed;
        },
        [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
      };
    },
  };
}

/** Timers wait at least 4 ms; messages do not. */
function nextTask(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/** What a page shows of a model that no study is known of. */
const NO_STUDY = { calibrationQuestions: 0, curve: [], examples: [], blindSpots: [] } as const;

/** Models that people have trained say where they began; others have no name in their files. */
function nameModel(files: Files): string {
  const { _name_or_path: name } = JSON.parse(readText(files, "config.json")) as Record<string, unknown>;
  return typeof name === "string" && name !== "" ? name : "your model";
}

/** What of a model tells whether a probe was fitted on its states. */
export const sourceOf = ({ weights_sha256, tokenizer_sha256, dtype }: LanguageModel["provenance"]) => ({
  weights_sha256,
  tokenizer_sha256,
  dtype,
});

/** @throws Error, SepError `probe-mismatch` */
function requireAccuracyProbe(probe: Probe, origin: Parameters<typeof requireProbeFits>[1]): void {
  if (probe.target !== "incorrect")
    throw new Error(
      `The probe predicts "${probe.target}". Choose an accuracy probe, which predicts "incorrect".`,
    );
  if (probe.features !== "hidden-state")
    throw new Error("The probe reads more than one token's hidden state. Choose one that does not.");
  requireProbeFits(probe, origin);
}

const readProbe = (files: Files, name: string): Promise<Probe> =>
  parseProbe(readText(files, `${name}.json`), requireFile(files, `${name}.safetensors`));

const readText = (files: Files, name: string): string => new TextDecoder().decode(requireFile(files, name));

function requireFile(files: Files, name: string): Uint8Array {
  const bytes = files[name];
  if (bytes === undefined)
    throw new Error(`There is no ${name} among the model's files. Build the page again with sep page.`);
  return bytes;
}

/** Numbers in the headers of safetensors files. */
function countParameters(files: readonly Uint8Array[]): number {
  let count = 0;
  for (const bytes of files) {
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
      string,
      { readonly shape?: readonly number[] }
    >;
    for (const { shape } of Object.values(header))
      if (shape !== undefined) count += shape.reduce((a, b) => a * b, 1);
  }
  return count;
}
