import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  createLineRedactor,
  type Environment,
  type Redactor,
  redactStrings,
  SepError,
} from "semantic-entropy-probes/files";
import type { FromKernel, KernelSettings, ToKernel } from "../kernel/messages.ts";
import type { Output } from "../wire.ts";

/** A message without the number that {@link KernelLink.request} gives it. */
type Request = ToKernel extends infer Message
  ? Message extends { readonly request: number }
    ? Omit<Message, "request">
    : never
  : never;

/** The process that a notebook's cells run in, from outside. */
export interface KernelLink {
  send(message: ToKernel): void;
  /** @throws SepError `kernel-died`, or an Error with the kernel's reason to refuse */
  request(message: Request): Promise<unknown>;
  /** Ends the process at once, whatever it is doing. */
  kill(): void;
  readonly ended: Promise<string>;
}

interface StartKernelOptions {
  readonly env: Environment;
  /** Everything that comes from the kernel goes through it. */
  readonly redactor: Redactor;
  /** Gets everything but answers. */
  readonly receive: (message: FromKernel) => void;
}

/** Starts a kernel. Its own output goes to stderr, so that stdout stays for results. */
export function startKernel(
  settings: KernelSettings,
  { env, redactor, receive }: StartKernelOptions,
): KernelLink {
  const child: ChildProcess = fork(
    fileURLToPath(new URL("../kernel/kernel-process.js", import.meta.url)),
    [],
    {
      execArgv: ["--enable-source-maps"],
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: { ...env } as NodeJS.ProcessEnv,
    },
  );
  for (const stream of [child.stdout, child.stderr]) {
    const lines = createLineRedactor(redactor.message, (text) => void process.stderr.write(text));
    stream?.setEncoding("utf8").on("data", lines.push).on("end", lines.end);
  }
  const open = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  let requests = 0;
  child.on("message", (raw: FromKernel) => {
    const message = redactMessage(raw, redactor);
    if (message.kind !== "answer") return receive(message);
    const { request, value, error } = message;
    if (error === null) open.get(request)?.resolve(value);
    else open.get(request)?.reject(new SepError("bad-option", error));
    open.delete(request);
  });
  const ended = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => {
      const how = describeEnd(code, signal);
      // its last messages may still be in flight
      if (child.connected) child.once("disconnect", () => resolve(how));
      else resolve(how);
    });
    child.once("error", (error) => resolve(error.message));
  });
  void ended.then((how) => {
    const error = new SepError(
      "kernel-died",
      `The kernel ended (${how}) before it could answer. Run the cells again.`,
    );
    for (const { reject } of open.values()) reject(error);
    open.clear();
  });
  const send = (message: ToKernel): void => {
    // a kernel that has just died cannot hear; `ended` says so
    if (child.connected) child.send(message, () => undefined);
  };
  send({ kind: "open", settings });
  return {
    send,
    request(message) {
      requests += 1;
      const request = requests;
      return new Promise((resolve, reject) => {
        if (!child.connected) return reject(new SepError("kernel-died", "The kernel has ended. Restart it."));
        open.set(request, { resolve, reject });
        send({ ...message, request } as ToKernel);
      });
    },
    kill: () => void child.kill("SIGKILL"),
    ended,
  };
}

function describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === null) return `exit code ${code}`;
  const why = SIGNALS_OF_NO_MEMORY[signal];
  return why === undefined ? signal : `${signal}, ${why}`;
}

const SIGNALS_OF_NO_MEMORY: Partial<Record<NodeJS.Signals, string>> = {
  SIGABRT: "as when Node runs out of memory",
  SIGKILL: "as when the machine runs out of memory",
};
/**
 * Redacts what comes from a kernel, before a page, an agent, a script or the results file gets it. Errors, logs and
 * progress are messages; what a cell shows is data, from which only known secrets are removed.
 */
function redactMessage(message: FromKernel, redactor: Redactor): FromKernel {
  switch (message.kind) {
    case "status":
    case "progress":
      return redactStrings(message, redactor.message);
    case "outputs":
      return { ...message, outputs: message.outputs.map((output) => redactOutput(output, redactor)) };
    case "answer": {
      const { value, error } = message;
      return {
        ...message,
        value: redactStrings(value, redactor.known),
        error: redactStrings(error, redactor.message),
      };
    }
    default:
      return message;
  }
}

const redactOutput = (output: Output, { known, message }: Redactor): Output =>
  redactStrings(output, output.kind === "log" ? message : known);
