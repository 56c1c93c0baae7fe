import { setMaxListeners } from "node:events";
import { parentPort, Worker } from "node:worker_threads";
import { SepError, type SepErrorCode } from "../../errors.ts";

// onnxruntime's Node binding runs a pass on the thread that asks for it, so work is done in parallel only on threads of
// our own. Jobs go out and results come back by structured clone.

/** Threads that do as many jobs at a time as they have room for; more jobs wait, in their order, for the first room. */
interface WorkerThreads<Job, Result> extends AsyncDisposable {
  readonly count: number;
  /** @throws the job's own error with its code, or that of the thread if it died */
  submit(job: Job, options?: SubmitOptions): Promise<Result>;
  /** Has every thread do a job at once, whatever room it has. @returns a result each */
  askAll(job: Job): Promise<Result[]>;
}

interface SubmitOptions {
  /** How much of a thread's room the job takes; all of it by default. A job that takes more gets a thread of its own. */
  readonly size?: number;
  /** Tells the thread to give the job up; a job that still waits is not begun. */
  readonly signal?: AbortSignal | undefined;
}

type Request =
  | { readonly id: number; readonly kind: "job"; readonly job: unknown }
  | { readonly id: number; readonly kind: "abort" };
type Response =
  | { readonly id: number; readonly kind: "done"; readonly result: unknown }
  | { readonly id: number; readonly kind: "failed"; readonly error: PackedError };

/**
 * The file of a thread's entry point, beside the module that starts it.
 * @param moduleUrl `import.meta.url` of that module
 * @param name      the entry's file name without extension
 */
export const workerFile = (moduleUrl: string, name: string): URL =>
  new URL(`./${name}${moduleUrl.endsWith(".ts") ? ".ts" : ".js"}`, moduleUrl);

/** Threads load plain JavaScript; the TypeScript sources only where Node itself strips types. */
export const canStartWorkers = (): boolean =>
  !import.meta.url.endsWith(".ts") ||
  Boolean((process.features as { readonly typescript?: unknown }).typescript);

/**
 * Starts threads; dispose them after use, which ends them whatever they are at.
 * @param file  an entry point that calls {@link serveJobs}
 * @param setup what each of them finds in its `workerData`
 * @param room  of each, in the units of the jobs' sizes
 */
export function startWorkerThreads<Job, Result>(
  file: URL,
  count: number,
  setup: unknown,
  room = 1,
): WorkerThreads<Job, Result> {
  const threads = Array.from({ length: count }, () => ({ ...startThread(file, setup), load: 0 }));
  const waiting: { readonly size: number; begin(thread: (typeof threads)[number]): void }[] = [];
  const dispatch = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const thread = threads.reduce((least, other) => (other.load < least.load ? other : least));
      if (thread.load > 0 && thread.load + next.size > room) return;
      waiting.shift();
      thread.load += next.size;
      next.begin(thread);
    }
  };
  return {
    count,
    async submit(job, { size = room, signal } = {}) {
      const thread = await new Promise<(typeof threads)[number]>((begin) => {
        waiting.push({ size, begin });
        dispatch();
      });
      try {
        return (await thread.run(job, signal)) as Result;
      } finally {
        thread.load -= size;
        dispatch();
      }
    },
    askAll: (job) => Promise.all(threads.map(({ run }) => run(job) as Promise<Result>)),
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map(({ terminate }) => terminate()));
    },
  };
}

/** Runs in a thread: does the jobs that its parent sends. */
export function serveJobs<Job>(run: (job: Job, signal: AbortSignal) => Promise<unknown>): void {
  const port = parentPort;
  if (port === null) throw new Error("serveJobs runs in a worker thread only.");
  const aborts = new Map<number, AbortController>();
  port.on("message", async (request: Request) => {
    if (request.kind === "abort") {
      aborts.get(request.id)?.abort();
      return;
    }
    const abort = new AbortController();
    aborts.set(request.id, abort);
    try {
      const result = await run(request.job as Job, abort.signal);
      port.postMessage({ id: request.id, kind: "done", result } satisfies Response);
    } catch (error) {
      port.postMessage({ id: request.id, kind: "failed", error: packError(error) } satisfies Response);
    } finally {
      aborts.delete(request.id);
    }
  });
}

interface Thread {
  run(job: unknown, signal?: AbortSignal): Promise<unknown>;
  terminate(): Promise<number>;
}

/** Room for short-lived wrappers and boxed numbers: with V8's own choice, a twentieth of the time goes to removing them. */
const YOUNG_MB = 64;

function startThread(file: URL, setup: unknown): Thread {
  const worker = new Worker(file, {
    workerData: setup,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: unknown): void }>();
  let nextId = 0;
  let dead: Error | null = null;
  const finish = ({ id, ...answer }: Response): void => {
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
  worker.on("message", finish);
  worker.on("error", failAll);
  worker.on("exit", (code) => failAll(new Error(`A worker thread stopped with code ${code}.`)));
  return {
    async run(job, signal) {
      signal?.throwIfAborted();
      if (dead !== null) throw dead;
      const id = nextId++;
      const abort = (): void => worker.postMessage({ id, kind: "abort" } satisfies Request);
      if (signal !== undefined) setMaxListeners(0, signal); // many jobs share one, and each removes its own listener
      signal?.addEventListener("abort", abort, { once: true });
      try {
        return await new Promise((resolve, reject) => {
          waiting.set(id, { resolve, reject });
          worker.postMessage({ id, kind: "job", job } satisfies Request);
        });
      } finally {
        signal?.removeEventListener("abort", abort);
      }
    },
    terminate: () => worker.terminate(),
  };
}

/** An error as plain data: structured clone keeps an Error's message, and loses its class and code. */
export interface PackedError {
  readonly name: string;
  readonly message: string;
  readonly code: SepErrorCode | null;
  readonly stack: string | undefined;
}

export function packError(error: unknown): PackedError {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { name, message, stack, code: error instanceof SepError ? error.code : null };
}

/** The error again, with its class, code and the stack of where it was thrown. */
export function unpackError({ name, message, code, stack }: PackedError): Error {
  const error = code === null ? Object.assign(new Error(message), { name }) : new SepError(code, message);
  if (stack !== undefined) error.stack = stack;
  return error;
}
