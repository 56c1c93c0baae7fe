import { constants } from "node:fs";
import { access, stat, statfs } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { dirname, resolve } from "node:path";
import { type Environment, locateHubCache } from "../../checkpoint/hub/hub.ts";
import { type Machine, readMachine } from "../../engine/runtime/machine.ts";
import { fileExists } from "../../store/file-exists.ts";
import { formatGigabytes } from "../../text/format-numbers.ts";
import type { Check } from "./check.ts";

/** Node's version against the one that package.json asks for. */
export function checkNode(version: string = process.versions.node): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [wantedMajor, wantedMinor] = OLDEST_NODE;
  const isNewEnough = major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  return {
    name: "node",
    detail: `${version} on ${process.platform} ${process.arch}`,
    ...(isNewEnough
      ? { status: "ok" }
      : {
          status: "broken",
          advice: `Install Node ${wantedMajor}.${wantedMinor} or newer from https://nodejs.org.`,
        }),
  };
}

export function checkCpu({ threads }: Machine = readMachine()): Check {
  const model = cpus()[0]?.model.trim() || "unknown model";
  const all = availableParallelism();
  const limit = threads < all ? ` of ${all}, by the limits of this container or service` : "";
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
    advice: "Close something, or use --limit: a run of the embedded model takes up to 1 GB.",
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
      "Free some space or choose another disk with --out: hidden states of larger models take gigabytes.",
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
    advice: "Made by the first `sep models pull`, or by the first --model that names a model of the hub.",
  };
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

/** As in package.json's "engines". */
const OLDEST_NODE = [20, 19] as const;
/** The bound on memory that the embedded model's run keeps; its files are smaller. */
const RUN_BYTES = 1e9;
