import { spawn } from "node:child_process";
import { type MessagePort, parentPort, workerData } from "node:worker_threads";

// The entry point of a thread that stands between a tokenizer's process and the thread that uses it. Pipes to a process
// can only be read while the event loop turns; the user of a tokenizer waits for it without that, so the pipes are read
// here.

export interface BrokerSetup {
  /** Takes requests, and gives each an answer, after which `flag` is set. */
  readonly port: MessagePort;
  /** One int32: 1 when there is an answer. */
  readonly flag: SharedArrayBuffer;
  /** File that the process runs. */
  readonly entry: string;
  readonly heapMb: number;
}

export interface BrokerRequest {
  readonly frames: readonly Uint8Array[];
  readonly mostReplyBytes: number;
}

export type BrokerAnswer =
  | { readonly kind: "reply"; readonly bytes: Uint8Array }
  | { readonly kind: "too-large"; readonly sizeBytes: number }
  /** The process has ended. */
  | { readonly kind: "ended"; readonly how: string };

/** What the thread says first, so that whoever waits for the process can kill it. */
export interface BrokerStarted {
  readonly kind: "started";
  readonly pid: number | undefined;
}

const { port, flag, entry, heapMb } = workerData as BrokerSetup;
const signal = new Int32Array(flag);
const child = spawn(process.execPath, [`--max-old-space-size=${heapMb}`, "--no-warnings", entry], {
  stdio: ["pipe", "pipe", "ignore"],
  // no secrets; Windows starts no program without its own folder
  env: process.platform === "win32" ? { SystemRoot: process.env.SystemRoot } : {},
  // a Ctrl-C in the terminal is for the program, which may still want to finish an answer
  detached: true,
  windowsHide: true,
});

/** Who waits for an answer; the process answers one request at a time. */
let waiting: { readonly mostBytes: number; answer(answer: BrokerAnswer): void } | null = null;
let ended: BrokerAnswer | null = null;
let received: Uint8Array[] = [];
let receivedBytes = 0;

const settle = (answer: BrokerAnswer): void => {
  const { answer: give } = waiting ?? {};
  waiting = null;
  give?.(answer);
};

const end = (how: string): void => {
  ended ??= { kind: "ended", how };
  settle(ended);
};
child.once("error", (error) => end(error.message));
child.once("exit", (code, killedBy) => end(killedBy ?? `exit code ${code}`));
child.stdin.on("error", () => undefined); // it has ended, which its exit says

child.stdout.on("data", (chunk: Buffer) => {
  received.push(chunk);
  receivedBytes += chunk.length;
  if (waiting === null || receivedBytes < LENGTH_BYTES) return;
  if (received[0]!.length < LENGTH_BYTES) received = [Buffer.concat(received)];
  const size = Buffer.from(received[0]!).readUInt32LE(0);
  if (size > waiting.mostBytes) {
    child.kill("SIGKILL");
    settle({ kind: "too-large", sizeBytes: size });
    return;
  }
  if (receivedBytes < LENGTH_BYTES + size) return;
  const bytes = new Uint8Array(Buffer.concat(received).subarray(LENGTH_BYTES, LENGTH_BYTES + size));
  received = [];
  receivedBytes = 0;
  settle({ kind: "reply", bytes });
});

function relay({ frames, mostReplyBytes }: BrokerRequest, answer: (answer: BrokerAnswer) => void): void {
  if (ended !== null) {
    answer(ended);
    return;
  }
  waiting = { mostBytes: mostReplyBytes, answer };
  for (const frame of frames) {
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(frame.length);
    child.stdin.write(length);
    child.stdin.write(frame);
  }
}

/** Before each frame, little-endian. */
const LENGTH_BYTES = 4;

parentPort?.postMessage({ kind: "started", pid: child.pid } satisfies BrokerStarted);
parentPort?.on("message", (request: BrokerRequest) =>
  relay(request, (answer) => parentPort?.postMessage(answer)),
);
port.on("message", (request: BrokerRequest) =>
  relay(request, (answer) => {
    port.postMessage(answer);
    Atomics.store(signal, 0, 1);
    Atomics.notify(signal, 0);
  }),
);
