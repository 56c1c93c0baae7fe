import { ortNode } from "../../engine/runtime/ort-node.ts";
import { canStartWorkers, startWorkerThreads, workerFile } from "../../engine/runtime/worker-threads-node.ts";
import { createMatrixMultiplier } from "../products/matrix-multiplier.ts";
import { createScratch } from "../products/scratch.ts";
import {
  type FitJob,
  type FitResult,
  type PermuteJob,
  type PermuteResult,
  type ProbeJob,
  runProbeJob,
  type ScoreJob,
  type ScoreResult,
} from "./probe-job.ts";

/** Does jobs, on threads of its own or on this one. Jobs may be handed in all at once; they wait their turn. */
export interface ProbeEngine extends AsyncDisposable {
  /** Jobs under way at a time. */
  readonly concurrency: number;
  score(job: ScoreJob): Promise<ScoreResult>;
  fit(job: FitJob): Promise<FitResult>;
  permute(job: PermuteJob): Promise<PermuteResult>;
}

/**
 * Opens an engine; dispose it after use, which gives up what is under way.
 * @param workers threads to start; 1 works here
 */
export async function openProbeEngine(workers: number, signal?: AbortSignal): Promise<ProbeEngine> {
  return workers > 1 && canStartWorkers() ? startEngine(workers, signal) : openEngineHere(signal);
}

function startEngine(workers: number, signal: AbortSignal | undefined): ProbeEngine {
  const threads = startWorkerThreads<ProbeJob, unknown>(
    workerFile(import.meta.url, "probe-worker"),
    workers,
    null,
  );
  return {
    concurrency: workers,
    score: (job) => threads.submit(job, signal) as Promise<ScoreResult>,
    fit: (job) => threads.submit(job, signal) as Promise<FitResult>,
    permute: (job) => threads.submit(job, signal) as Promise<PermuteResult>,
    [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose](),
  };
}

async function openEngineHere(signal: AbortSignal | undefined): Promise<ProbeEngine> {
  const multiplier = await createMatrixMultiplier(ortNode);
  const scratch = createScratch();
  const closed = new AbortController();
  const either = signal === undefined ? closed.signal : AbortSignal.any([signal, closed.signal]);
  let last: Promise<unknown> = Promise.resolve();
  const run = (job: ProbeJob): Promise<unknown> => {
    const turn = last.then(() => {
      either.throwIfAborted();
      return runProbeJob(job, multiplier, scratch, either);
    });
    last = turn.catch(() => undefined); // whoever handed the job in hears of it
    return turn;
  };
  return {
    concurrency: 1,
    score: (job) => run(job) as Promise<ScoreResult>,
    fit: (job) => run(job) as Promise<FitResult>,
    permute: (job) => run(job) as Promise<PermuteResult>,
    async [Symbol.asyncDispose]() {
      closed.abort();
      await last;
      await multiplier[Symbol.asyncDispose]();
    },
  };
}
