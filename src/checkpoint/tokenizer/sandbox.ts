import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { type PackedError, unpackError, workerFile } from "../../engine/runtime/worker-threads-node.ts";
import { SepError } from "../../errors.ts";
import { fieldsAfterName } from "../../store/process-identity.ts";
import type { BrokerAnswer, BrokerRequest, BrokerSetup, BrokerStarted } from "./sandbox-broker.ts";

/** What a call may take. */
export interface CallLimits {
  /** Characters or tokens that are handed over: a long text may take longer. */
  readonly size: number;
  readonly mostReplyBytes: number;
  /** The file whose content does the work, for messages. */
  readonly file: string;
  /** What is done, for messages: "encoding a text". */
  readonly act: string;
}

/**
 * A process of its own for what files from elsewhere make the program do: a regular expression that never ends, a
 * template that fills the memory. A worker thread would not do: V8 aborts the whole process when one allocation of a
 * thread is too large, whatever `resourceLimits` say.
 */
interface Sandbox extends Disposable {
  /** Waits for the answer without a turn of the event loop. @throws as the process did; SepError `hostile-model` */
  call(request: object, limits: CallLimits): unknown;
}

/** What the process answers, as JSON. */
export interface SandboxReply {
  readonly result?: unknown;
  readonly error?: PackedError;
  /** CPU time that it took. */
  readonly cpuMs: number;
}

/** Heap of the process. Tokenizers of 260,000 tokens take some 400 MB. */
const SANDBOX_HEAP_MB = 1024;
/** Until a tokenizer is ready; the largest take seconds. */
const OPEN_LIMIT_MS = 60_000;
const OPEN_LOOK_MS = 1000;
const MOST_OPEN_REPLY_BYTES = 64 << 20;
/**
 * What all calls between two turns of the event loop may take together, since a signal is only heard when it turns:
 * this, a little for each call, and for each character what the slowest honest tokenizers need on a busy machine. A call that
 * is answered counts with the CPU time of the process, since on a busy machine most of the waiting is for a CPU.
 */
const TURN_LIMIT_MS = 5_000;
const CALL_MS = 10;
const CHARACTER_MS = 0.2;
/** A program that is stopped (Ctrl-Z) and resumes later has waited for one of these. */
const SLICE_MS = 100;
/** A process that has had less CPU time than its limit is waited for longer, this many times at most. */
const PATIENCE = 20;

/**
 * Starts the process and has it open something.
 * @param request is sent as JSON, with `limitMs`, twice which the process gives up by itself
 * @param attached bytes that go along
 * @returns the sandbox, and what opening gave
 * @throws as the process did; SepError `hostile-model`; the signal's reason
 */
export async function startSandbox(
  request: object,
  attached: Uint8Array,
  { file, signal }: { readonly file: string; readonly signal?: AbortSignal | undefined },
): Promise<{ readonly sandbox: Sandbox; readonly opened: unknown }> {
  signal?.throwIfAborted();
  const { port1: port, port2 } = new MessageChannel();
  const flag = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const worker = new Worker(workerFile(import.meta.url, "sandbox-broker"), {
    workerData: {
      port: port2,
      flag,
      entry: fileURLToPath(workerFile(import.meta.url, "sandbox-process")),
      heapMb: SANDBOX_HEAP_MB,
    } satisfies BrokerSetup,
    transferList: [port2],
  });
  const parts: SandboxParts = { port, signal: new Int32Array(flag), worker, pid: undefined };
  try {
    worker.postMessage({
      frames: [encodeJson({ ...request, limitMs: OPEN_LIMIT_MS }), attached],
      mostReplyBytes: MOST_OPEN_REPLY_BYTES,
    } satisfies BrokerRequest);
    const limits: CallLimits = { size: 0, mostReplyBytes: MOST_OPEN_REPLY_BYTES, file, act: OPENING };
    const opened = resultOf(readReply(await firstAnswer(parts, limits, signal), limits), limits);
    worker.unref();
    const sandbox = createSandbox(parts);
    abandoned.register(sandbox, parts);
    return { sandbox, opened };
  } catch (error) {
    endProcess(parts);
    throw error;
  }
}

const OPENING = "opening the tokenizer";

interface SandboxParts {
  readonly port: MessagePort;
  /** [1] not 0 when there is an answer */
  readonly signal: Int32Array;
  readonly worker: Worker;
  pid: number | undefined;
}

/** Ends the processes of tokenizers that nobody holds any more, such as those of profiles, which nobody disposes. */
const abandoned = new FinalizationRegistry(endProcess);

function endProcess({ worker, pid }: SandboxParts): void {
  try {
    if (pid !== undefined) process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it has ended
  }
  void worker.terminate();
}

async function firstAnswer(
  parts: SandboxParts,
  limits: CallLimits,
  signal: AbortSignal | undefined,
): Promise<BrokerAnswer> {
  const { worker } = parts;
  let timer: NodeJS.Timeout | undefined;
  let abort = (): void => undefined;
  try {
    return await new Promise((resolve, reject) => {
      const begun = performance.now();
      let isOver: ((waitedMs: number) => boolean) | null = null;
      timer = setInterval(() => {
        isOver ??= createTimeLimit(parts, OPEN_LIMIT_MS);
        if (isOver(performance.now() - begun)) reject(tookTooLong(limits, OPEN_LIMIT_MS));
      }, OPEN_LOOK_MS);
      abort = () => reject(signal?.reason);
      signal?.addEventListener("abort", abort);
      worker.on("error", reject); // stays: without a listener, it would be uncaught
      worker.on("message", (message: BrokerStarted | BrokerAnswer) => {
        if (message.kind === "started") parts.pid = message.pid;
        else resolve(message);
      });
    });
  } finally {
    clearInterval(timer);
    signal?.removeEventListener("abort", abort);
  }
}

function createSandbox(parts: SandboxParts): Sandbox {
  const { port, signal } = parts;
  let failure: unknown = null;
  let grantedMs = TURN_LIMIT_MS;
  let spentMs = 0;
  let countsThisTurn = false;

  const waitForAnswer = (limitMs: number, limits: CallLimits): BrokerAnswer => {
    let waitedMs = 0;
    let isOver: ((waitedMs: number) => boolean) | null = null;
    while (Atomics.load(signal, 0) === 0) {
      const begin = performance.now();
      Atomics.wait(signal, 0, 0, SLICE_MS);
      waitedMs += Math.min(SLICE_MS, performance.now() - begin);
      if (Atomics.load(signal, 0) !== 0) break; // at once, as a rule
      isOver ??= createTimeLimit(parts, limitMs);
      if (isOver(waitedMs)) throw tookTooLong(limits, limitMs);
    }
    return (receiveMessageOnPort(port) as { readonly message: BrokerAnswer }).message;
  };
  return {
    call(request, limits) {
      if (failure !== null) throw failure;
      if (!countsThisTurn) {
        countsThisTurn = true;
        setImmediate(() => {
          [grantedMs, spentMs, countsThisTurn] = [TURN_LIMIT_MS, 0, false];
        });
      }
      grantedMs += CALL_MS + CHARACTER_MS * limits.size;
      const limitMs = Math.ceil(grantedMs - spentMs);
      Atomics.store(signal, 0, 0);
      port.postMessage({
        frames: [encodeJson({ ...request, limitMs })],
        mostReplyBytes: limits.mostReplyBytes,
      } satisfies BrokerRequest);
      let reply: SandboxReply;
      try {
        reply = readReply(waitForAnswer(limitMs, limits), limits);
      } catch (error) {
        failure = error;
        endProcess(parts);
        throw error;
      }
      spentMs += reply.cpuMs;
      return resultOf(reply, limits);
    },
    [Symbol.dispose]() {
      failure ??= new Error("A tokenizer was used after its model was disposed.");
      endProcess(parts);
    },
  };
}

/** Whether a process has had its time, given how long it has been waited for: its CPU time from now on, where the system tells. */
function createTimeLimit({ pid }: SandboxParts, limitMs: number): (waitedMs: number) => boolean {
  const before = cpuMsOf(pid);
  return (waitedMs) => {
    if (waitedMs < limitMs) return false;
    const now = cpuMsOf(pid);
    return before === null || now === null || now - before >= limitMs || waitedMs >= PATIENCE * limitMs;
  };
}

/** CPU time that a process has had so far, where /proc says it. */
function cpuMsOf(pid: number | undefined): number | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null; // another system than Linux, or the process has ended
  }
  const fields = fieldsAfterName(stat);
  // proc_pid_stat(5): utime and stime are fields 14 and 15, in hundredths of a second
  return 10 * (Number(fields[14 - 3]) + Number(fields[15 - 3]));
}

/** @throws SepError `hostile-model` if the process gave no answer; `interrupted` */
function readReply(answer: BrokerAnswer, limits: CallLimits): SandboxReply {
  const { act, mostReplyBytes } = limits;
  if (answer.kind === "too-large")
    throw tooMuch(limits, `${act} gave ${answer.sizeBytes} bytes, at most ${mostReplyBytes}`);
  if (answer.kind === "ended" && STOPPED.has(answer.how))
    throw new SepError(
      "interrupted",
      `${act} was stopped: its process got ${answer.how}. Run the same command again.`,
    );
  if (answer.kind === "ended")
    throw tooMuch(
      limits,
      `${act} ended its process (${answer.how}), which may take ${SANDBOX_HEAP_MB} MB of memory`,
    );
  return JSON.parse(Buffer.from(answer.bytes).toString("utf8")) as SandboxReply;
}

/** @throws SepError that the process threw, or `bad-tokenizer` around it */
function resultOf(reply: SandboxReply, { file, act }: CallLimits): unknown {
  if (reply.error === undefined) return reply.result;
  const error = unpackError(reply.error);
  if (error instanceof SepError) throw error;
  throw new SepError("bad-tokenizer", `${file}: ${act} failed: ${error.message}`, { cause: error });
}

/** What ends a program and all of its processes, such as a service. */
const STOPPED: ReadonlySet<string> = new Set(["SIGTERM", "SIGINT", "SIGHUP"]);

const tookTooLong = (limits: CallLimits, limitMs: number): SepError =>
  tooMuch(limits, `${limits.act} took more than ${(limitMs / 1000).toFixed(1)} s`);

const tooMuch = ({ file }: CallLimits, what: string): SepError =>
  new SepError(
    "hostile-model",
    `${file} exceeds the limits for files from elsewhere: ${what}. Use a copy of the model from a source that you trust; docs/models.md has the limits.`,
  );

const encodeJson = (value: object): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
