import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { serialize } from "node:v8";
import { DEVICES, type DeviceName, describeFailure } from "./device.ts";
import { supportedDevices } from "./ort-node.ts";
import type { Tensor } from "./runtime.ts";

/** What came of trying a device on this machine. */
export type DeviceTrial =
  /** @property error largest difference from the CPU's numbers, relative to their scale */
  { readonly works: true; readonly error: number } | { readonly works: false; readonly reason: string };

/** A model file for a device, the same model for the CPU, and what both are to compute. */
interface DeviceComparison {
  readonly modelPath: string;
  readonly referencePath: string;
  /** A pass is the graph's inputs by name. */
  readonly passes: readonly (readonly (readonly [string, Tensor])[])[];
}

/** Why a device cannot even be tried; null if it can. */
export const whyUnsupported = (device: DeviceName): string | null =>
  supportedDevices().has(device)
    ? null
    : `onnxruntime-node has no ${device} for ${process.platform} ${process.arch}`;

/**
 * Computes passes on a device and on the CPU and compares the two, in a process of its own: a missing driver may print
 * to stderr from native code, and some crash the process.
 */
export async function compareWithCpu(device: DeviceName, comparison: DeviceComparison): Promise<DeviceTrial> {
  const onnxruntime = createRequire(import.meta.url).resolve("onnxruntime-node");
  const { provider, environment } = DEVICES[device];
  const { stdout, stderr, end } = await runChild(
    serialize({ ...comparison, onnxruntime, provider }),
    environment,
  );
  const answer = /^\{"(?:error|reason)":.*\}$/m.exec(stdout)?.[0];
  if (answer === undefined) return fail(`it takes the process down, which ended with ${end}`);
  const { error, reason } = JSON.parse(answer) as { error?: number | null; reason?: string };
  if (reason !== undefined) return fail([describeFailure(reason), ...missingLibrary(stderr)].join(": "));
  // JSON has no NaN: null is what becomes of it
  if (typeof error !== "number") return fail("it computes the embedded model to no numbers");
  if (error <= LARGEST_ERROR) return { works: true, error };
  return fail(
    `it computes the embedded model with an error of ${error.toExponential(1)} of its scale, expected at most ${LARGEST_ERROR}`,
  );
}

const fail = (reason: string): DeviceTrial => ({ works: false, reason });

/** The same bound that the engine keeps to against Python; half precision misses it. */
const LARGEST_ERROR = 1e-3;
/** The first start of a driver may compile its kernels; one that hangs must not hang the caller. */
const TIMEOUT_MS = 120_000;

/** Which library the loader did not find: onnxruntime prints it, and its error leaves it out. */
function missingLibrary(stderr: string): string[] {
  const found = /with error: (?:\S*\/)?([^\n]+)/.exec(stderr)?.[1];
  return found === undefined ? [] : [found.trim()];
}

interface ChildResult {
  readonly stdout: string;
  readonly stderr: string;
  /** How it ended: a signal or an exit code. */
  readonly end: string;
}

function runChild(input: Uint8Array, environment: Readonly<Record<string, string>>): Promise<ChildResult> {
  const child = spawn(process.execPath, ["-e", PROGRAM], {
    env: { ...process.env, ...environment },
    timeout: TIMEOUT_MS,
  });
  const read = (stream: NodeJS.ReadableStream): (() => string) => {
    let text = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      text += chunk;
    });
    return () => text;
  };
  const [stdout, stderr] = [read(child.stdout), read(child.stderr)];
  child.stdin.on("error", () => undefined); // a process that is gone before it has read: its end says so
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ stdout: "", stderr: "", end: error.message }));
    child.on("close", (code, signal) =>
      resolve({ stdout: stdout(), stderr: stderr(), end: signal ?? `code ${code}` }),
    );
  });
}

/** Reads what to run from stdin and prints the error, or why there is none, as one line of JSON. */
const PROGRAM = `
const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk)).on("end", async () => {
  const { deserialize } = require("node:v8");
  const { onnxruntime, provider, modelPath, referencePath, passes } = deserialize(Buffer.concat(chunks));
  const { InferenceSession, Tensor } = require(onnxruntime);
  const compute = async (path, name) => {
    const session = await InferenceSession.create(path, {
      executionProviders: [name],
      intraOpNumThreads: 1,
      logSeverityLevel: 4,
    });
    const results = [];
    for (const feeds of passes) {
      const tensors = feeds.map(([input, { type, data, dims }]) => [input, new Tensor(type, data, dims)]);
      results.push(await session.run(Object.fromEntries(tensors)));
    }
    return results;
  };
  try {
    const expected = await compute(referencePath, "cpu");
    const got = await compute(modelPath, provider);
    let error = 0;
    expected.forEach((outputs, pass) => {
      for (const [name, { data }] of Object.entries(outputs)) {
        const values = got[pass][name].data;
        const scale = data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
        const difference = data.reduce((worst, value, i) => Math.max(worst, Math.abs(value - values[i])), 0);
        error = Math.max(error, difference / (scale || 1)); // an output may be all zeros
      }
    });
    console.log(JSON.stringify({ error }));
  } catch (error) {
    console.log(JSON.stringify({ reason: String(error.message) }));
  }
});`;
