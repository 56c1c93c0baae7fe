import { randomBytes } from "node:crypto";
import { access, constants, readdir, readFile, rm, stat } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { SepError } from "../../errors.ts";
import type { TensorEntry } from "../../formats/safetensors.ts";
import { type Sleep, sleepFor } from "../../net/retry.ts";
import { fingerprint } from "../../store/fingerprint.ts";
import { isProcessAlive } from "../../store/process-identity.ts";
import { fileExists } from "../../store/read-file.ts";
import { readSafetensorsHeader, readTensorRows } from "../../store/safetensors.ts";

/** What a file of hidden states must hold. */
export interface ExpectedFile {
  /** [T] of the request, or of the prompt and the answer to it. */
  readonly tokenIds: readonly number[];
  /** Whether the server may have gone on after the last of them, as it does until it hears that an answer has ended. */
  readonly mayGoOn?: boolean;
  /** Layers that the server extracts. */
  readonly layerCount: number;
  /** D */
  readonly hiddenSize: number;
}

interface WaitOptions {
  /** How long after the answer the file may be written. */
  readonly waitMs: number;
  readonly sleep?: Sleep;
  /** Milliseconds; only differences count. */
  readonly now?: () => number;
  readonly signal?: AbortSignal | undefined;
}

const POLL_MS = 10;

/**
 * Reads some tokens' states from a file of vLLM's hidden-states connector, which writes it after it has answered: waits
 * until it is complete and its writer has released it, and compares it with what was sent. Known server faults give
 * fewer tokens (prefix caching), another request's, or nothing but zeros.
 * @param indices of tokens
 * @returns per index: [layers, D]
 * @throws SepError `bad-states`
 */
export async function readStatesFile(
  path: string,
  indices: readonly number[],
  expected: ExpectedFile,
  options: WaitOptions,
): Promise<readonly Float32Array[]> {
  return waitFor(path, () => tryRead(path, indices, expected), options);
}

/** Tries until there is something to be had of a file, or waiting cannot help. @throws SepError `bad-states` */
async function waitFor<Value>(
  path: string,
  attempt: () => Promise<Attempt<Value>>,
  { waitMs, sleep = sleepFor, now = () => performance.now(), signal }: WaitOptions,
): Promise<Value> {
  const untilMs = now() + waitMs;
  for (;;) {
    signal?.throwIfAborted();
    const found = await attempt();
    if ("value" in found) return found.value;
    if (found.isFinal || now() >= untilMs) {
      throw new SepError(
        "bad-states",
        `${path}, which the server named for its hidden states, ${found.problem}. ${ADVICE}`,
      );
    }
    await sleep(POLL_MS, signal);
  }
}

const ADVICE =
  "Is the server's folder visible from here, was it started as `sep vllm-command` says, with the layers of --layers, and without prefix caching?";

type Attempt<Value> =
  | { readonly value: Value }
  /** `isFinal`: no waiting makes it better. */
  | { readonly problem: string; readonly isFinal: boolean };

const notYet = (problem: string): Attempt<never> => ({ problem, isFinal: false });
const never = (problem: string): Attempt<never> => ({ problem, isFinal: true });

async function tryRead(
  path: string,
  indices: readonly number[],
  { tokenIds, mayGoOn = false, layerCount, hiddenSize }: ExpectedFile,
): Promise<Attempt<readonly Float32Array[]>> {
  const header = await tryHeader(path);
  if (!("value" in header)) return header;
  const tensors = header.value;
  const states = tensors.get("hidden_states");
  const ids = tensors.get("token_ids");
  if (states === undefined || ids === undefined) return never("has no hidden_states and token_ids");
  const [written = 0] = ids.shape;
  const length = mayGoOn ? Math.max(written, tokenIds.length) : tokenIds.length;
  const shape = [length, layerCount, hiddenSize];
  if (states.shape.join() !== shape.join())
    return never(`has hidden states of [${states.shape}], expected [${shape}]: tokens, layers, width`);
  const found = await readTensorRows(path, ids, [...tokenIds.keys()]);
  const differs = tokenIds.findIndex((id, index) => found[index] !== id);
  if (differs !== -1)
    return never(`is of other tokens: token ${differs} is ${found[differs]}, expected ${tokenIds[differs]}`);
  const flat = await readTensorRows(path, states, indices);
  const size = layerCount * hiddenSize;
  for (let start = 0; start < flat.length; start += hiddenSize) {
    const norm = normOf(flat.subarray(start, start + hiddenSize));
    if (norm > 0 && Number.isFinite(norm)) continue;
    const token = indices[Math.floor(start / size)];
    const place = `token ${token}, layer ${(start % size) / hiddenSize} of the extracted ones`;
    return never(`has a state that is ${norm === 0 ? "all zero" : "not finite"}, of ${place}`);
  }
  return { value: indices.map((_, i) => flat.slice(i * size, (i + 1) * size)) };
}

/** What is in a file that is whole and that nobody writes any more. */
async function tryHeader(path: string): Promise<Attempt<ReadonlyMap<string, TensorEntry>>> {
  if (await isLocked(`${path}.lock`)) return notYet("is still being written");
  try {
    return { value: (await readSafetensorsHeader(path)).tensors };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return notYet("is not there");
    if (error instanceof SepError) return notYet("is not whole");
    throw error;
  }
}

/**
 * How many layers a file has, waiting until it is whole.
 * @throws SepError `bad-states` for a file that has no states, is not there or is not whole
 */
export const countLayers = (path: string, options: WaitOptions): Promise<number> =>
  waitFor(
    path,
    async (): Promise<Attempt<number>> => {
      const header = await tryHeader(path);
      if (!("value" in header)) return header;
      const layers = header.value.get("hidden_states")?.shape[1];
      return layers === undefined ? never("has none") : { value: layers };
    },
    options,
  );

/** Whether a file is there, and nobody writes it any more. */
export async function isSettled(path: string): Promise<boolean> {
  return (await fileExists(path)) && !(await isLocked(`${path}.lock`));
}

function normOf(vector: Float32Array): number {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return Math.sqrt(sum);
}

/**
 * Whether a process of this machine holds flock(2) on a file, which Node cannot ask for itself.
 * @returns false also if the system does not say
 * @see proc_locks(5)
 */
async function isLocked(path: string): Promise<boolean> {
  try {
    const { ino } = await stat(path);
    const locks = await readFile("/proc/locks", "utf8");
    return locks.split("\n").some((line) => /\bFLOCK\b/.test(line) && line.includes(`:${ino} `));
  } catch {
    return false; // no lock file (any more), or no /proc
  }
}

/** Names requests so that the files that the server writes for them can be recognised. */
export interface RequestNames {
  /** A name that no other request has. */
  next(): string;
  /** Whether a file was written for the request of this name. */
  isOf(path: string, name: string): boolean;
  /** The file of a request, as soon as the server has begun with it; null before that. */
  find(folders: Iterable<string>, name: string): Promise<string | null>;
  /** Removes the files of processes of this machine that have ended: a crash left them. */
  sweepDead(folder: string): Promise<void>;
  /** Removes the files of requests named here; files of abandoned requests may have been written later. */
  sweepOwn(folder: string): Promise<void>;
}

/** vLLM names a file by its request's id, with a prefix and a suffix; the id is ours to choose. */
export function createRequestNames(): RequestNames {
  const host = fingerprint(hostname()).slice(0, 8);
  const own = `sep-${host}-${process.pid}-${randomBytes(6).toString("hex")}`;
  let count = 0;
  const isOf = (path: string, name: string): boolean =>
    new RegExp(`(^|-)${name}-.*\\.safetensors$`).test(basename(path));
  return {
    next: () => `${own}-${count++}`,
    isOf,
    async find(folders, name) {
      for (const folder of folders) {
        const files = (await listFolder(folder)).map((file) => file.replace(/\.lock$/, ""));
        const found = files.find((file) => isOf(file, name));
        if (found !== undefined) return join(folder, found);
      }
      return null;
    },
    sweepDead: (folder) =>
      removeWhere(folder, async (name) => {
        const pid = new RegExp(`sep-${host}-(\\d+)-[0-9a-f]{12}-\\d+-`).exec(name)?.[1];
        return pid !== undefined && !(await isProcessAlive(Number(pid), null));
      }),
    sweepOwn: (folder) => removeWhere(folder, async (name) => name.includes(`${own}-`)),
  };
}

/** A folder that is gone has nothing left. */
const listFolder = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

async function removeWhere(folder: string, test: (name: string) => Promise<boolean>): Promise<void> {
  for (const name of await listFolder(folder))
    if (await test(name)) await rm(join(folder, name), { force: true });
}

/** Where files of hidden states pass through: Linux's folder in memory, else the folder for temporary files. */
export async function statesFolder(): Promise<string> {
  const inMemory = "/dev/shm";
  return access(inMemory, constants.W_OK).then(
    () => inMemory,
    () => tmpdir(),
  );
}
