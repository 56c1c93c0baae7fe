import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { SepError } from "../../errors.ts";
import { sleepFor } from "../../net/retry.ts";
import { sendOnce } from "../../net/send-once.ts";
import { parseServerAddress, type ServerAddress } from "../../net/server-address.ts";
import { makeFolder } from "../../store/file-error.ts";

/** A server of ours; disposing of it ends it. */
export interface LaunchedServer extends AsyncDisposable {
  readonly address: ServerAddress;
}

interface LaunchOptions {
  readonly program: string;
  /** Without host and port. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where all that it prints goes. */
  readonly logPath: string;
  /** How long it may take to be ready. */
  readonly readyWithinMs?: number | undefined;
  /** How long it may take to end by itself before it is killed. */
  readonly graceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Downloading a large model takes time; the log shows the progress. */
const READY_WITHIN_MS = 3_600_000;
const GRACE_MS = 20_000;
const POLL_MS = 500;
const TELL_EVERY_MS = 15_000;
const LOG_TAIL_LINES = 12;

/**
 * Starts a server on a free port of this machine and waits until `/health` answers; yields its progress. The
 * server ends when it is disposed of, when the signal is aborted, and when this process ends, however that happens.
 * @throws SepError `launch-failed` with the end of its log
 */
export async function* launchServer({
  program,
  args,
  env,
  logPath,
  readyWithinMs = READY_WITHIN_MS,
  graceMs = GRACE_MS,
  signal,
}: LaunchOptions): AsyncGenerator<string, LaunchedServer> {
  signal?.throwIfAborted();
  const port = await findFreePort();
  await makeFolder(dirname(logPath));
  const log = await open(logPath, "w");
  const supervisor = fileURLToPath(new URL("./supervise-process.js", import.meta.url));
  const words = [program, ...args, "--host", "127.0.0.1", "--port", String(port)];
  const child = spawn(process.execPath, [supervisor, String(graceMs), ...words], {
    // of a session of its own, so that a Ctrl-C in the terminal reaches us alone and the server ends in order
    detached: true,
    stdio: ["pipe", log.fd, log.fd],
    env: { ...env } as NodeJS.ProcessEnv,
  });
  const ended = new Promise<number>((resolve) => {
    child.once("error", () => resolve(126));
    child.once("exit", (code) => resolve(code ?? 1));
  });
  await log.close();
  const server: LaunchedServer = {
    address: parseServerAddress(`http://127.0.0.1:${port}/v1`, "the launched server's address"),
    [Symbol.asyncDispose]: () => stopChild(child, ended),
  };
  let isReady = false;
  try {
    yield `starting \`${program} ${args.slice(0, 2).join(" ")} …\`; its log is ${logPath}`;
    yield* waitForHealth(server.address, { program, logPath, ended, readyWithinMs, signal });
    isReady = true;
    return server;
  } finally {
    if (!isReady) await server[Symbol.asyncDispose]();
  }
}

async function* waitForHealth(
  { root }: ServerAddress,
  {
    program,
    logPath,
    ended,
    readyWithinMs,
    signal,
  }: Pick<LaunchOptions, "program" | "logPath" | "signal"> & {
    readonly ended: Promise<number>;
    readonly readyWithinMs: number;
  },
): AsyncGenerator<string, void> {
  const startMs = performance.now();
  let toldMs = startMs;
  for (;;) {
    const outcome = await sendOnce(`${root}/health`, { method: "GET" }, { fetch, limitMs: 5_000, signal });
    if (outcome.kind === "answered" && outcome.status === 200) return;
    const code = await Promise.race([ended, sleepFor(POLL_MS, signal).then(() => null)]);
    if (code !== null) throw await explainEnd(program, code, logPath);
    const nowMs = performance.now();
    if (nowMs - startMs > readyWithinMs) {
      throw new SepError(
        "launch-failed",
        `${program} is not ready after ${Math.round(readyWithinMs / 1_000)} s. Its log, ${logPath}, ends: ${await tailOf(logPath)}`,
      );
    }
    if (nowMs - toldMs < TELL_EVERY_MS) continue;
    toldMs = nowMs;
    yield `${program} is starting, ${Math.round((nowMs - startMs) / 1_000)} s so far: ${await tailOf(logPath, 1)}`;
  }
}

async function explainEnd(program: string, code: number, logPath: string): Promise<SepError> {
  if (code === 127) {
    return new SepError(
      "launch-failed",
      `There is no program \`${program}\` on the PATH to start a server with. Install vLLM (pip install vllm), or give the address of a running server with --vllm-url.`,
    );
  }
  return new SepError(
    "launch-failed",
    `${program} ended with exit code ${code} before it was ready. Its log, ${logPath}, ends: ${await tailOf(logPath)}`,
  );
}

async function tailOf(logPath: string, lines = LOG_TAIL_LINES): Promise<string> {
  const text = await readFile(logPath, "utf8");
  return text.trimEnd().split("\n").slice(-lines).join(" | ") || "nothing";
}

async function stopChild(child: ChildProcess, ended: Promise<number>): Promise<void> {
  child.stdin?.destroy();
  await ended;
}

async function findFreePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}
