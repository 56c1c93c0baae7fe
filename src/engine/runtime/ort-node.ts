import { env, InferenceSession, listSupportedBackends, Tensor } from "onnxruntime-node";
import { createGraph } from "../graph/graph.ts";
import { DEVICES } from "./device.ts";
import { readExternalData, wrapSession } from "./ort-session.ts";
import type { OnnxModel, Runtime, Session, SessionOptions } from "./runtime.ts";

/** onnxruntime's native library. Weights in files are read into memory; see `nodeRuntime` for how they are not. */
export const ortNode: Runtime = {
  name: "onnxruntime-node",
  version: env.versions.node ?? "unknown version",
  createSession,
};

/** Names of the devices that the library was built for, whether or not this machine has them. */
export const supportedDevices = (): ReadonlySet<string> =>
  new Set(listSupportedBackends().map(({ name }) => name));

/** onnxruntime's severity: its warnings stay off the user's screen. */
const LOG_ERRORS_ONLY = 3;

/**
 * Threads that wait for their share of a run sleep. Spinning ones take a CPU from whatever else runs, another session of
 * this process included, and then wait for each other: docs/batching.md has measurements.
 */
const NO_SPINNING = { allow_spinning: "0" } as const;

async function createSession(model: OnnxModel, options: SessionOptions): Promise<Session> {
  const { device = "cpu", memory = "planned", optimise = true } = options;
  const { provider, environment } = DEVICES[device];
  // The only write to process.env: NVIDIA's libraries read NVIDIA_TF32_OVERRIDE when the first CUDA session loads them.
  // The binding's `cuda` option hands over a device id and nothing else (its `use_tf32` cannot be reached), and the session
  // opens in the user's own process, so there is no child to start with another environment.
  Object.assign(process.env, environment);
  const settings: InferenceSession.SessionOptions = {
    executionProviders: [provider],
    intraOpNumThreads: options.threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: optimise ? "all" : "disabled",
    logSeverityLevel: LOG_ERRORS_ONLY,
    enableMemPattern: memory === "planned",
    enableCpuMemArena: memory !== "returned",
    extra: {
      session: {
        intra_op: NO_SPINNING,
        ...(options.multipliesIntegers ? await exactIntegerSettings() : {}),
      },
    },
  };
  const session =
    typeof model === "string"
      ? await InferenceSession.create(model, settings)
      : await InferenceSession.create(model.graph, {
          ...settings,
          externalData: await readExternalData(model.sources),
        });
  return wrapSession(session, { Tensor, writesInPlace: true });
}

/** Entries of a session's `extra.session` under which integer products are exact. */
interface ExactIntegerSettings {
  /** Weights in int8 become uint8 when the session opens: onnxruntime's slower kernel, which does not saturate. */
  readonly x64quantprecision?: "1";
}

/**
 * Settings for a session that multiplies integers. x86 CPUs without VNNI add two products of an unsigned and a signed
 * byte in 16 bits, which saturate: sums come out wrong, without an error. onnxruntime has a setting against that, but it
 * takes the slower kernel on all x86 CPUs with AVX2, so it is set only where a product comes out wrong.
 */
export async function exactIntegerSettings(
  multiplies: () => Promise<boolean> = multipliesExactly,
): Promise<ExactIntegerSettings> {
  return (await multiplies()) ? {} : { x64quantprecision: "1" };
}

/** One row takes another kernel than several. */
const ROW_COUNTS = [1, 8];
/** More than one step of the widest vectors, in both directions. */
const SIZE = 64;
/** The codes with the largest product: two of them are 64,770, and 16 bits hold 32,767. */
const LEFT_CODE = 255;
const RIGHT_CODE = 127;

/** Whether this CPU's kernel for unsigned times signed bytes gives the largest products exactly. */
async function multipliesExactly(): Promise<boolean> {
  const graph = createGraph("saturation");
  graph.input("left", "uint8", ["rows", SIZE]);
  graph.input("right", "int8", [SIZE, SIZE]);
  graph.addNamed("MatMulInteger", ["left", "right"], ["product"]);
  graph.output("product", "int32", ["rows", SIZE]);
  await using session = await createSession({ graph: graph.serialize(), sources: [] }, { threads: 1 });
  const right = new Int8Array(SIZE * SIZE).fill(RIGHT_CODE);
  for (const rows of ROW_COUNTS) {
    const left = new Uint8Array(rows * SIZE).fill(LEFT_CODE);
    const { product } = await session.run({
      left: { type: "uint8", data: left, dims: [rows, SIZE] },
      right: { type: "int8", data: right, dims: [SIZE, SIZE] },
    });
    const sums = product?.data as Int32Array;
    if (!sums.every((sum) => sum === SIZE * LEFT_CODE * RIGHT_CODE)) return false;
  }
  return true;
}
