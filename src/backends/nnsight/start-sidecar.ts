import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openRedactor } from "../../checkpoint/hub/hub.ts";
import { createLineRedactor, type Redactor, redactStrings } from "../../text/redact.ts";
import {
  explainNoProgram,
  explainSidecarEnd,
  explainSidecarError,
  type OpenRequest,
  parseSidecarMessage,
  type ReadRequest,
  type SidecarMessage,
  type SidecarModel,
} from "./sidecar-message.ts";

/** The Python process that reads states under nnsight, from outside. */
export interface Sidecar extends AsyncDisposable {
  readonly model: SidecarModel;
  /**
   * Requests states and waits until their file is complete. Several requests may be pending; they run one by one.
   * @throws SepError `out-of-memory`, `sidecar-failed`; the signal's reason, immediately
   */
  read(request: Omit<ReadRequest, "kind" | "id">, signal?: AbortSignal): Promise<void>;
}

interface StartSidecarOptions {
  /** A Python with nnsight; by default `uv` makes one. */
  readonly python?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The script to run, found from both `src` and `dist`. */
const SCRIPT = fileURLToPath(new URL("../../../sidecars/nnsight_states.py", import.meta.url));

/** How much of the process's output is kept to explain its end. */
const KEPT_CHARACTERS = 8192;

/**
 * Starts the Python process, which loads a model; yields its progress. The process and its children
 * are one process group, which is killed when the sidecar is disposed of. It also ends when this process ends, however that
 * happens, since its standard input ends then.
 * @throws SepError `python-missing`, `nnsight-missing`, `device-unavailable`, `out-of-memory`, `unsupported-model`,
 *   `sidecar-failed`; the signal's reason
 */
export async function* startSidecar(
  request: OpenRequest,
  { python, env = process.env, signal }: StartSidecarOptions = {},
): AsyncGenerator<string, Sidecar> {
  signal?.throwIfAborted();
  const [program, args] = python === undefined ? ["uv", ["run", "--script", SCRIPT]] : [python, [SCRIPT]];
  const redactor = await openRedactor(env);
  const child = spawn(program, args, { env, detached: true, stdio: ["pipe", "pipe", "pipe"] });
  const talk = listen(child, {
    program,
    isUv: python === undefined,
    echo: env.SEP_DEBUG !== undefined,
    redactor,
  });
  try {
    talk.send(request);
    for (;;) {
      const message = await withSignal(talk.next(), signal);
      if (message.kind === "progress") yield message.message;
      else if (message.kind === "error") throw explainSidecarError(message.code, message.message);
      else if (message.kind === "ready") {
        const { kind, ...model } = message;
        return createSidecar(model, talk);
      }
    }
  } catch (error) {
    await talk.end();
    throw error;
  }
}

function createSidecar(model: SidecarModel, talk: Talk): Sidecar {
  const waiting = new Map<number, { resolve(): void; reject(error: unknown): void }>();
  let asked = 0;
  const settle = async (): Promise<never> => {
    for (;;) {
      const message = await talk.next();
      if (message.kind !== "states" && message.kind !== "error") continue;
      const request = message.id === null ? undefined : waiting.get(message.id);
      if (message.kind === "states") request?.resolve();
      else request?.reject(explainSidecarError(message.code, message.message));
    }
  };
  const ended = settle().catch((error: unknown) => error);
  return {
    model,
    async read(request, signal) {
      signal?.throwIfAborted();
      asked += 1;
      const id = asked;
      const answered = new Promise<void>((resolve, reject) => waiting.set(id, { resolve, reject }));
      try {
        talk.send({ kind: "read", id, ...request });
        const end = ended.then((error) => Promise.reject(error));
        await withSignal(Promise.race([answered, end]), signal);
      } finally {
        waiting.delete(id);
      }
    },
    [Symbol.asyncDispose]: () => talk.end(),
  };
}

/** Lines to and from a process. */
interface Talk {
  send(message: OpenRequest | ReadRequest): void;
  /** @throws SepError `python-missing`, `out-of-memory`, `sidecar-failed` when the process has ended */
  next(): Promise<SidecarMessage>;
  /** Kills the process and its children, and waits until it is gone. */
  end(): Promise<void>;
}

interface ListenOptions {
  readonly program: string;
  readonly isUv: boolean;
  /** Show what it prints. */
  readonly echo: boolean;
  readonly redactor: Redactor;
}

function listen(child: ChildProcess, { program, isUv, echo, redactor }: ListenOptions): Talk {
  let printed = "";
  const lines = createLineRedactor(redactor.message, (text) => {
    printed = (printed + text).slice(-KEPT_CHARACTERS);
    if (echo) process.stderr.write(text);
  });
  child.stderr?.setEncoding("utf8").on("data", lines.push).on("end", lines.end);
  child.stdin?.on("error", () => undefined); // its end says why
  const closed = new Promise<Error>((resolve) => {
    child.once("error", (error) => resolve(explainNoProgram(program, isUv, error)));
    child.once("close", (code, signal) => resolve(explainSidecarEnd(signal ?? `exit code ${code}`, printed)));
  });
  const messages = createInterface({ input: child.stdout as NonNullable<ChildProcess["stdout"]> })[
    Symbol.asyncIterator
  ]();
  return {
    send: (message) => void child.stdin?.write(`${JSON.stringify(message)}\n`),
    async next() {
      for (;;) {
        const { value, done } = await messages.next();
        if (done) throw await closed;
        const message = parseSidecarMessage(value);
        if (message !== null) return redactStrings(message, redactor.message);
      }
    },
    async end() {
      killGroup(child);
      await closed;
    },
  };
}

/** `uv` runs Python as a child of its own: both are in the group. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

async function withSignal<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
