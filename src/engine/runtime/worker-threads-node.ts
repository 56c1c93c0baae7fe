import { setMaxListeners } from "node:events";
import { parentPort, Worker } from "node:worker_threads";
import { SepError, type SepErrorCode } from "../../errors.ts";

// onnxruntime's Node binding runs a pass on the thread that asks for it, so work is done in parallel only on threads of
// our own. Jobs go out and results come back by structured clone, except for shared memory.

/** Threads that do as many jobs at a time as they have room for; more jobs wait, in their order, for the first room. */
interface WorkerThreads<Job, Result> extends AsyncDisposable {
  readonly count: number;
  /** @throws the job's own error with its code, or that of the thread if it died */
  submit(job: Job, options?: SubmitOptions): Promise<Result>;
  /** Yields what a job yields, as it comes. Whoever stops reading ends the job. @throws as `submit` */
  stream<Event>(job: Job, options?: SubmitOptions): AsyncGenerator<Event, Result>;
  /** Has every thread do a job at once, whatever room it has. @returns a result each */
  askAll(job: Job): Promise<Result[]>;
}

interface SubmitOptions {
  /** How much of a thread's room the job takes; all of it by default. A job that takes more gets a thread of its own. */
  readonly size?: number;
  /**
   * What the job has in common with others, the least first. It goes to a thread that has done a job with the last of
   * them, as long as that one has not much more to do than another.
   */
  readonly keys?: readonly string[];
  /** Tells the thread to give the job up; a job that still waits is not begun. */
  readonly signal?: AbortSignal | undefined;
}

/** Keys that are remembered of each thread. */
const MOST_KEYS = 1000;
/** Share of a thread's room that is worth waiting for what it has at hand. */
const SHARE_WORTH_WAITING = 0.25;

type Request =
  | { readonly id: number; readonly kind: "job"; readonly job: unknown }
  | { readonly id: number; readonly kind: "abort" }
  | { readonly kind: "memory"; readonly memory: SharedArrayBuffer }
  | { readonly kind: "end" };
type Response =
  | { readonly id: number; readonly kind: "event"; readonly event: unknown }
  | {
      readonly id: number;
      readonly kind: "done";
      readonly result: unknown;
      /** Of the result, lent. */
      readonly memory: SharedArrayBuffer | undefined;
    }
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
 * Starts threads; dispose them after use. Jobs that are not done fail then, and a thread ends as soon as its
 * event loop turns.
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
  const threads = Array.from({ length: count }, () => ({
    ...startThread(file, setup),
    load: 0,
    keys: new Set<string>(),
  }));
  const waiting: {
    readonly size: number;
    readonly keys: readonly string[];
    begin(thread: (typeof threads)[number]): void;
  }[] = [];
  const hasRoom = ({ load }: (typeof threads)[number], size: number): boolean =>
    load === 0 || load + size <= room;
  const choose = (size: number, keys: readonly string[]): (typeof threads)[number] => {
    const least = threads.reduce((idlest, other) => (other.load < idlest.load ? other : idlest));
    for (const key of [...keys].reverse()) {
      const known = threads.find((thread) => thread.keys.has(key));
      if (
        known !== undefined &&
        known.load <= least.load + SHARE_WORTH_WAITING * room &&
        hasRoom(known, size)
      )
        return known;
    }
    return least;
  };
  const dispatch = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const thread = choose(next.size, next.keys);
      if (!hasRoom(thread, next.size)) return;
      waiting.shift();
      thread.load += next.size;
      for (const key of next.keys) {
        thread.keys.delete(key); // and to the end, where the latest are
        thread.keys.add(key);
      }
      for (const key of thread.keys) {
        if (thread.keys.size <= MOST_KEYS) break;
        thread.keys.delete(key);
      }
      next.begin(thread);
    }
  };
  type Room = AsyncDisposable & { readonly thread: (typeof threads)[number] };
  const takeRoom = async (size: number, keys: readonly string[]): Promise<Room> => {
    const thread = await new Promise<(typeof threads)[number]>((begin) => {
      waiting.push({ size, keys, begin });
      dispatch();
    });
    return {
      thread,
      async [Symbol.asyncDispose]() {
        thread.load -= size;
        dispatch();
      },
    };
  };
  return {
    count,
    async submit(job, { size = room, keys = [], signal } = {}) {
      await using taken = await takeRoom(size, keys);
      return (await taken.thread.run(job, signal, () => undefined)) as Result;
    },
    async *stream<Event>(job: Job, { size = room, keys = [], signal }: SubmitOptions = {}) {
      await using taken = await takeRoom(size, keys);
      const given = new AbortController();
      // not AbortSignal.any, whose signals are kept alive by the longest-lived of their sources
      const abort = (): void => given.abort(signal?.reason);
      if (signal !== undefined) setMaxListeners(0, signal);
      signal?.addEventListener("abort", abort, { once: true });
      const events: unknown[] = [];
      let wake = (): void => undefined;
      const state: { result: Promise<unknown> | null } = { result: null };
      if (signal?.aborted) abort();
      const result = taken.thread.run(job, given.signal, (event) => {
        events.push(event);
        wake();
      });
      const settle = (): void => {
        state.result = result;
        wake();
      };
      result.then(settle, settle);
      try {
        for (;;) {
          for (let event = events.shift(); event !== undefined; event = events.shift()) yield event as Event;
          if (state.result !== null) return (await state.result) as Result;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        signal?.removeEventListener("abort", abort);
        given.abort();
        // its room is free once the thread has let go of it
        await result.catch(() => undefined);
      }
    },
    askAll: (job) =>
      Promise.all(threads.map(({ run }) => run(job, undefined, () => undefined) as Promise<Result>)),
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map(({ end }) => end()));
    },
  };
}

const lent = new WeakMap<object, SharedArrayBuffer>();
const lenders = new WeakMap<SharedArrayBuffer, Worker>();

/**
 * Says that the parent may give back the memory of a job's result.
 * @param memory that nothing here will read or write until then
 */
export function lend<Result extends object>(result: Result, memory: SharedArrayBuffer): Result {
  lent.set(result, memory);
  return result;
}

/** Gives memory that a job's result came in back to its thread, which uses it again. */
export function giveBack(memory: SharedArrayBuffer): void {
  lenders.get(memory)?.postMessage({ kind: "memory", memory } satisfies Request);
}

/**
 * Runs in a thread: does the jobs that its parent sends. A job that is a generator has its events sent as they come.
 * @param takeBack gets the memory of results that the parent has read
 */
export function serveJobs<Job>(
  run: (job: Job, signal: AbortSignal) => Promise<unknown> | AsyncGenerator<unknown, unknown>,
  takeBack: (memory: SharedArrayBuffer) => void = () => undefined,
): void {
  const port = parentPort;
  if (port === null) throw new Error("serveJobs runs in a worker thread only.");
  const aborts = new Map<number, AbortController>();
  port.on("message", async (request: Request) => {
    if (request.kind === "end") process.exit(); // the thread, not the process
    if (request.kind === "memory") return takeBack(request.memory);
    if (request.kind === "abort") {
      aborts.get(request.id)?.abort();
      return;
    }
    const abort = new AbortController();
    aborts.set(request.id, abort);
    try {
      const running = run(request.job as Job, abort.signal);
      const send = (event: unknown): void =>
        port.postMessage({ id: request.id, kind: "event", event } satisfies Response);
      const result = await ("then" in running ? running : forward(running, send));
      const memory = lent.get(result as object);
      port.postMessage({ id: request.id, kind: "done", result, memory } satisfies Response);
    } catch (error) {
      port.postMessage({ id: request.id, kind: "failed", error: packError(error) } satisfies Response);
    } finally {
      aborts.delete(request.id);
    }
  });
}

async function forward(
  events: AsyncGenerator<unknown, unknown>,
  send: (event: unknown) => void,
): Promise<unknown> {
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value;
    send(next.value);
  }
}

interface Thread {
  run(job: unknown, signal: AbortSignal | undefined, receive: (event: unknown) => void): Promise<unknown>;
  /**
   * Has the thread end itself. `Worker.terminate` would stop it within a native call, too: onnxruntime's binding cannot
   * return from one to a thread that has been stopped, and aborts the process.
   */
  end(): Promise<void>;
}

/** Room for short-lived wrappers and boxed numbers: with V8's own choice, a twentieth of the time goes to removing them. */
const YOUNG_MB = 64;

function startThread(file: URL, setup: unknown): Thread {
  const worker = new Worker(file, {
    workerData: setup,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  const waiting = new Map<
    number,
    { resolve(result: unknown): void; reject(error: unknown): void; receive(event: unknown): void }
  >();
  let nextId = 0;
  let dead: Error | null = null;
  const finish = ({ id, ...answer }: Response): void => {
    const job = waiting.get(id);
    if (answer.kind === "event") return void job?.receive(answer.event);
    waiting.delete(id);
    if (answer.kind === "failed") return void job?.reject(unpackError(answer.error));
    if (answer.memory !== undefined) lenders.set(answer.memory, worker);
    job?.resolve(answer.result);
  };
  const failAll = (error: Error): void => {
    dead ??= error;
    for (const { reject } of waiting.values()) reject(dead);
    waiting.clear();
  };
  worker.on("message", finish);
  worker.on("error", failAll);
  const exited = new Promise<void>((resolve) => {
    worker.on("exit", (code) => {
      failAll(new Error(`A worker thread stopped with code ${code}.`));
      resolve();
    });
  });
  return {
    async run(job, signal, receive) {
      signal?.throwIfAborted();
      if (dead !== null) throw dead;
      const id = nextId++;
      const abort = (): void => worker.postMessage({ id, kind: "abort" } satisfies Request);
      if (signal !== undefined) setMaxListeners(0, signal); // many jobs share one, and each removes its own listener
      signal?.addEventListener("abort", abort, { once: true });
      try {
        return await new Promise((resolve, reject) => {
          waiting.set(id, { resolve, reject, receive });
          worker.postMessage({ id, kind: "job", job } satisfies Request);
        });
      } finally {
        signal?.removeEventListener("abort", abort);
      }
    },
    end() {
      failAll(new Error("The worker threads were disposed of before this job was done."));
      worker.postMessage({ kind: "end" } satisfies Request);
      return exited;
    },
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
