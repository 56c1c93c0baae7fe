import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism, cpus } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describePlan } from "../backends/local/try-plans.ts";
import { type Environment, locateHubCache } from "../checkpoint/hub/hub.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import { POCKET_MODEL } from "../checkpoint/locate-checkpoint.ts";
import { listPlanTrials } from "../checkpoint/machine-plan.ts";
import { resolveDevice, tryDevice } from "../checkpoint/resolve-device.ts";
import type { DeviceTrial } from "../engine/runtime/compare-devices-node.ts";
import { AUTO_DEVICES, DEVICE_NAMES, DEVICES, type DeviceName } from "../engine/runtime/device.ts";
import { type Machine, readMachine } from "../engine/runtime/machine-node.ts";
import { ortNode } from "../engine/runtime/ort-node.ts";
import { fileExists } from "../store/read-file.ts";
import { formatGigabytes } from "../text/format-numbers.ts";

/** Node's version against package.json's "engines". */
export function checkNode(version: string = process.versions.node): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isNewEnough = (major === 20 && minor >= 19) || (major === 22 && minor >= 2) || major > 22;
  return {
    name: "node",
    detail: `${version} on ${process.platform} ${process.arch}`,
    ...(isNewEnough
      ? { status: "ok" }
      : {
          status: "broken",
          advice: "Install Node 20.19+ or 22.2+ from https://nodejs.org.",
        }),
  };
}

export function checkCpu({ threads }: Machine = readMachine()): Check {
  const model = cpus()[0]?.model.trim() || "unknown model";
  const all = availableParallelism();
  const limit = threads < all ? ` of ${all}, limited by this container or service` : "";
  return { name: "cpu", status: "ok", detail: `${threads} threads${limit}, ${model}` };
}

/** Memory: the embedded model's run takes less than 1 GB. */
export function checkMemory(
  freeBytes: number = process.availableMemory(),
  totalBytes: number = readMachine().memoryBytes,
): Check {
  const detail = `${formatGigabytes(freeBytes)} free of ${formatGigabytes(totalBytes)}`;
  if (freeBytes >= RUN_BYTES) return { name: "memory", status: "ok", detail };
  return {
    name: "memory",
    status: "warning",
    detail,
    advice: "Close other programs, or use --limit: a run with the embedded model takes up to 1 GB.",
  };
}

/** Can the workspace be written, and is there room? */
export async function checkWorkspace(folder: string): Promise<Check> {
  const root = resolve(folder);
  const existing = await nearestExisting(root);
  const obstacle = await findObstacle(existing);
  if (obstacle !== null) {
    return {
      name: "workspace",
      status: "broken",
      detail: `${root}: ${existing} ${obstacle}`,
      advice: "Choose another folder with --out.",
    };
  }
  const { bavail, bsize } = await statfs(existing);
  const freeBytes = bavail * bsize;
  const detail = `${root}, ${formatGigabytes(freeBytes)} free`;
  if (freeBytes >= RUN_BYTES) return { name: "workspace", status: "ok", detail };
  return {
    name: "workspace",
    status: "warning",
    detail,
    advice:
      "Free some space, or choose another disk with --out: hidden states of larger models take gigabytes.",
  };
}

/** Where Python's Hugging Face tools keep models, by their own rules. */
export async function checkHuggingFaceCache(env: Environment): Promise<Check> {
  const { path, reason } = locateHubCache(env);
  if (await fileExists(path)) return { name: "hf-cache", status: "ok", detail: `${path} (${reason})` };
  return {
    name: "hf-cache",
    status: "absent",
    detail: `${path} (${reason}) does not exist`,
    advice:
      "It is created by the first `sep models pull`, or the first --model that names a model on the Hub.",
  };
}

/** How trials of models on this CPU ended. */
export async function checkPlans(): Promise<Check[]> {
  const trials = await listPlanTrials();
  return trials.map(({ model, dtype, chosen }) => ({
    name: "plan",
    status: "ok",
    detail: `${model}, ${dtype}: ${describePlan(chosen)}`,
  }));
}

/** @returns null if files can be made in a path, else why not */
async function findObstacle(path: string): Promise<string | null> {
  if (!(await stat(path)).isDirectory()) return "is not a folder";
  try {
    await access(path, constants.W_OK);
    return null;
  } catch (error) {
    if (["EACCES", "EROFS", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? ""))
      return "cannot be written";
    throw error;
  }
}

async function nearestExisting(path: string): Promise<string> {
  const parent = dirname(path);
  return parent === path || (await fileExists(path)) ? path : nearestExisting(parent);
}

/** The bound on memory that the embedded model's run keeps; its files are smaller. */
const RUN_BYTES = 1e9;

/** onnxruntime, and what it can compute on here. */
export async function checkEngine(attempt: typeof tryDevice = tryDevice): Promise<Check[]> {
  const trials = new Map(
    await Promise.all(
      DEVICE_NAMES.map(async (device) => [device, await tryKindly(device, attempt)] as const),
    ),
  );
  const auto = await resolveDevice("auto", {
    attempt: async (device) => trials.get(device) as DeviceTrial,
  });
  return [
    { name: ortNode.name, status: "ok", detail: ortNode.version },
    ...[...trials].map(([device, trial]) => describeTrial(device, trial)),
    {
      name: "device auto",
      status: "ok",
      detail: `${auto.name}; tried in the order ${AUTO_DEVICES.join(", ")}, cpu`,
    },
  ];
}

/**
 * What onnxruntime-node's install script downloads where npm runs it: on Linux x64 alone.
 * @param folder of the package onnxruntime-node
 */
export async function checkCudaLibraries(
  folder: string = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json")),
  { platform, arch }: { readonly platform: string; readonly arch: string } = process,
): Promise<Check[]> {
  if (platform !== "linux" || arch !== "x64") return [];
  const name = "cuda libraries";
  const library = join(folder, "bin", "napi-v6", platform, arch, "libonnxruntime_providers_cuda.so");
  if (await fileExists(library)) return [{ name, status: "ok", detail: `downloaded to ${dirname(library)}` }];
  return [
    {
      name,
      status: "absent",
      detail: "not downloaded; nothing but --device cuda needs them",
      advice:
        "onnxruntime-node's install script downloads them from api.nuget.org. Where that cannot be reached, it fails, and `npm install` with it: use `npm install --ignore-scripts`.",
    },
  ];
}

/** An embedded model that is damaged is reported by its own check too. */
async function tryKindly(device: DeviceName, attempt: typeof tryDevice): Promise<DeviceTrial> {
  try {
    return await attempt(device);
  } catch (error) {
    return { works: false, reason: oneLine(error) };
  }
}

function describeTrial(device: DeviceName, trial: DeviceTrial): Check {
  const name = `device ${device}`;
  if (trial.works) {
    const compared =
      device === "cpu"
        ? ""
        : `, within ${trial.error.toExponential(1)} of the CPU's result, relative to its scale`;
    return { name, status: "ok", detail: `runs the embedded model${compared}` };
  }
  return {
    name,
    status: device === "cpu" ? "broken" : "absent",
    detail: trial.reason,
    advice: `Needs ${DEVICES[device].needs}.`,
  };
}

/** Loads the embedded model and runs one forward pass. */
export async function checkPocket(signal: AbortSignal): Promise<Check> {
  const name = "embedded model";
  try {
    await using model = await loadModel(POCKET_MODEL);
    const { logits } = await model.prefill({ tokenIds: [0] }, { signal });
    if (!logits.every(Number.isFinite)) throw new Error("its logits are not finite numbers");
    const { blockCount, hiddenSize } = model.config;
    return {
      name,
      status: "ok",
      detail: `${blockCount} blocks of width ${hiddenSize}, one forward pass succeeded`,
    };
  } catch (error) {
    return {
      name,
      status: "broken",
      detail: oneLine(error),
      advice: "Reinstall the package: its models/pocket/ is damaged or missing.",
    };
  }
}

/** One finding of `sep doctor`. */
export interface Check {
  readonly name: string;
  /**
   * `ok`; `absent`: an extra that is not there and that nothing fails without; `warning`: works, but something
   * may not; `broken`: `sep run` would fail.
   */
  readonly status: "ok" | "absent" | "warning" | "broken";
  readonly detail: string;
  /** What to do about it, unless it is ok. */
  readonly advice?: string;
}

/** An error's message on one line. */
function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s+/g, " ").trim();
}
