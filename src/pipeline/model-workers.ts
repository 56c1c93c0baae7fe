import { Worker } from "node:worker_threads";
import type { LoadModelOptions } from "../models/load-model.ts";
import type { LocalEngine } from "./local-engine.ts";
import { type PackedError, unpackError } from "./worker-error.ts";

/** One job for a worker, and what it answers; both cross the thread boundary by structured clone. */
export type WorkerRequest =
  | { readonly id: number; readonly kind: "sample"; readonly job: Parameters<LocalEngine["sample"]> }
  | { readonly id: number; readonly kind: "trace"; readonly job: Parameters<LocalEngine["trace"]> }
  | { readonly id: number; readonly kind: "abort" };
export type WorkerResponse =
  | { readonly id: number; readonly kind: "done"; readonly result: unknown }
  | { readonly id: number; readonly kind: "failed"; readonly error: PackedError };

/** What is said to `loadModel` in a worker; plain data, since it goes to another thread. */
export type WorkerModelOptions = Pick<
  LoadModelOptions,
  "threads" | "dtype" | "device" | "trustedSha256" | "name"
>;

/** What a worker is started with. */
export interface WorkerSetup {
  /** Where the model is. @see loadModel */
  readonly path: string;
  readonly options: WorkerModelOptions;
}

const RUNS_FROM_SOURCE = import.meta.url.endsWith(".ts");

/** Workers load plain JavaScript; the TypeScript sources only where Node itself strips types. */
export const canStartModelWorkers = (): boolean =>
  !RUNS_FROM_SOURCE || Boolean((process.features as { readonly typescript?: unknown }).typescript);

/**
 * Starts threads that each load the model and do one job at a time.
 * @param path where the model is
 * @param options for each one's `loadModel`
 */
export async function startModelWorkers(
  path: string,
  count: number,
  options: WorkerModelOptions = { threads: 1 },
): Promise<LocalEngine> {
  const workers = Array.from({ length: count }, () => startWorker({ path, options }));
  const idle = [...workers];
  const submit = async (
    kind: "sample" | "trace",
    job: readonly unknown[],
    signal?: AbortSignal,
  ): Promise<unknown> => {
    const worker = idle.pop();
    if (worker === undefined)
      throw new RangeError(`All ${count} workers are busy; submit at most that many jobs.`);
    try {
      return await worker.submit(kind, job, signal);
    } finally {
      idle.push(worker);
    }
  };
  return {
    concurrency: count,
    sample: (question, runIds, options, signal) =>
      submit("sample", [question, runIds, options], signal) as ReturnType<LocalEngine["sample"]>,
    trace: (promptIds, answers, layers, signal) =>
      submit("trace", [promptIds, answers, layers], signal) as ReturnType<LocalEngine["trace"]>,
    async [Symbol.asyncDispose]() {
      await Promise.all(workers.map(({ terminate }) => terminate()));
    },
  };
}

interface ModelWorker {
  submit(kind: "sample" | "trace", job: readonly unknown[], signal?: AbortSignal): Promise<unknown>;
  terminate(): Promise<number>;
}

function startWorker(setup: WorkerSetup): ModelWorker {
  const file = RUNS_FROM_SOURCE ? "./model-worker.ts" : "./model-worker.js";
  const worker = new Worker(new URL(file, import.meta.url), { workerData: setup });
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: unknown): void }>();
  let nextId = 0;
  let dead: Error | null = null;
  const settle = ({ id, ...answer }: WorkerResponse): void => {
    const job = waiting.get(id);
    waiting.delete(id);
    if (answer.kind === "done") job?.resolve(answer.result);
    else job?.reject(unpackError(answer.error));
  };
  const failAll = (error: Error): void => {
    dead ??= error;
    for (const { reject } of waiting.values()) reject(dead);
    waiting.clear();
  };
  worker.on("message", settle);
  worker.on("error", failAll);
  worker.on("exit", (code) => failAll(new Error(`A model worker stopped with code ${code}.`)));
  return {
    async submit(kind, job, signal) {
      signal?.throwIfAborted();
      if (dead !== null) throw dead;
      const id = nextId++;
      const abort = (): void => worker.postMessage({ id, kind: "abort" } satisfies WorkerRequest);
      signal?.addEventListener("abort", abort, { once: true });
      try {
        return await new Promise((resolve, reject) => {
          waiting.set(id, { resolve, reject });
          worker.postMessage({ id, kind, job } as WorkerRequest);
        });
      } finally {
        signal?.removeEventListener("abort", abort);
      }
    },
    terminate: () => worker.terminate(),
  };
}
