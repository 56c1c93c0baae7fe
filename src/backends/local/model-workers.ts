import type { LoadModelOptions } from "../../checkpoint/load-model.ts";
import { startWorkerThreads, workerFile } from "../../engine/runtime/worker-threads-node.ts";
import type { LocalEngine } from "./local-backend.ts";

/** One job for a worker; it and its result cross the thread boundary by structured clone. */
export type ModelJob =
  | { readonly kind: "draw"; readonly job: Parameters<LocalEngine["draw"]> }
  | { readonly kind: "read"; readonly job: Parameters<LocalEngine["read"]> };

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
  const setup: WorkerSetup = { path, options };
  const threads = startWorkerThreads<ModelJob, unknown>(
    workerFile(import.meta.url, "model-worker"),
    count,
    setup,
  );
  return {
    concurrency: count,
    draw: (prompt, { signal, ...options }) =>
      threads.submit({ kind: "draw", job: [prompt, options] }, signal) as ReturnType<LocalEngine["draw"]>,
    read: (promptIds, answers, { signal, ...options }) =>
      threads.submit({ kind: "read", job: [promptIds, answers, options] }, signal) as ReturnType<
        LocalEngine["read"]
      >,
    [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose](),
  };
}
