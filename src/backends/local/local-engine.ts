import type { LoadModelOptions } from "../../checkpoint/load-model.ts";
import { sampleAnswers } from "../../engine/generate/generate.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { canStartWorkers, startWorkerThreads, workerFile } from "../../engine/runtime/worker-threads-node.ts";
import type { AnswerSampler } from "../../samples/answer-backend.ts";
import type { StateReader } from "../../states/state-backend.ts";
import { traceAnswers } from "../../states/trace-answers.ts";

/** Samples answers and reads states. */
interface LocalEngine extends AnswerSampler, StateReader {}

/**
 * An engine for some questions. onnxruntime's Node binding runs a pass on the thread that asks for it, so copies of a
 * model run in parallel only on threads of our own, each with the model loaded.
 * @param questions how many there are to do
 */
export async function openLocalEngine(model: LanguageModel, questions: number): Promise<LocalEngine> {
  const workers = Math.min(model.workers, Math.floor(questions / QUESTIONS_WORTH_A_WORKER));
  if (workers < 2 || !canStartWorkers()) return runHere(model);
  const { id, revision, dtype, device, weights_sha256 } = model.provenance;
  return startModelWorkers(model.path, workers, {
    name: { id, revision },
    threads: model.threadsPerWorker,
    dtype,
    device: { name: device },
    trustedSha256: weights_sha256,
  });
}

/** Starting a worker takes about as long as this many questions to the embedded model. */
const QUESTIONS_WORTH_A_WORKER = 8;

/** The engine on this thread. */
export function runHere(model: LanguageModel): LocalEngine {
  return {
    concurrency: 1,
    draw: (prompt, options) => sampleAnswers(model, prompt.tokenIds, options),
    read: (promptIds, answers, options) => traceAnswers(model, promptIds, answers, options),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** One job for a worker; it and its result cross the thread boundary by structured clone. */
export type ModelJob =
  | { readonly kind: "draw"; readonly job: Parameters<LocalEngine["draw"]> }
  | { readonly kind: "read"; readonly job: Parameters<LocalEngine["read"]> };

/** Arguments for `loadModel` in a worker; plain data, since they go to another thread. */
type WorkerModelOptions = Pick<LoadModelOptions, "threads" | "dtype" | "device" | "trustedSha256" | "name">;

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
