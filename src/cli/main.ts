#!/usr/bin/env node
import { addAbortSignal } from "node:stream";
import { SepError } from "../errors.ts";
import { explainFileError } from "../store/file-error.ts";
import { findSecrets } from "../text/find-secrets.ts";
import { createRedactor } from "../text/redact.ts";
import { exitStatusOf } from "./exit.ts";

const args = process.argv.slice(2);
const controller = new AbortController();
const { signal } = controller;

// Node would print what nothing has caught as it is, with all that it quotes.
process.once("uncaughtException", (error) => {
  const { message } = createRedactor(findSecrets(process.env, args));
  process.stderr.write(
    `${message(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`,
  );
  process.exit(1);
});

// The first signal stops gently; with its listener gone, the second one kills.
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.once(name, () => {
    const again = name === "SIGINT" ? "press Ctrl-C again to kill" : `a second ${name} kills`;
    process.stderr.write(`\nStopping; ${again}.\n`);
    controller.abort();
  });
}

// Without its output the work is of no use. A reader that went away (`sep score --stdin | head`) has read what it
// wanted: that ends in silence. A full disk behind `> file` is news.
for (const [name, stream] of [
  ["stdout", process.stdout],
  ["stderr", process.stderr],
] as const) {
  stream.on("error", (cause: NodeJS.ErrnoException) => {
    if (signal.aborted) return;
    const isClosed = ["EPIPE", "EOF", "ERR_STREAM_DESTROYED"].includes(cause.code ?? "");
    const lost = isClosed
      ? new SepError("output-closed", `The reader of ${name} has gone away.`, { cause })
      : explainFileError(cause, name);
    if (!(lost instanceof SepError)) throw cause;
    if (!isClosed && stream !== process.stderr) process.stderr.write(`sep: ${lost.message} [${lost.code}]\n`);
    controller.abort(lost);
    process.exitCode = exitStatusOf(lost.code);
  });
}

// A command that waits for its next line stops waiting.
addAbortSignal(signal, process.stdin);

async function run(): Promise<number> {
  // Loaded here and not above: where too few files may be open, not even the program's own can be, and that has to be said.
  const { runCli } = await import("./run-cli.ts").catch((cause: unknown) => {
    throw explainUnloaded(explainFileError(cause));
  });
  return runCli(args, {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    signal,
    now: () => performance.now(),
  });
}

/** Files that are open at once while the program's own modules are loaded: 200 on Linux, and some room. */
const FILES_OF_LOADING = 256;

/**
 * An installation that was interrupted, or is for another platform, lacks what the program itself is loaded from. So it
 * seems where Node may open too few files: a `package.json` that it cannot open counts as missing.
 */
function explainUnloaded(cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof SepError) return cause;
  const limit = openFilesLimit();
  if (limit < FILES_OF_LOADING)
    return new SepError(
      "too-many-open-files",
      `Too many files are open; this process may open ${limit} at once, and ${FILES_OF_LOADING} are needed to load the program. Raise the limit, for example with \`ulimit -n 4096\`, and run the same command again.`,
      { cause },
    );
  const { code } = cause as NodeJS.ErrnoException;
  if (!["ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND", "ERR_DLOPEN_FAILED"].includes(code ?? "")) return cause;
  const [problem] = cause.message.split("\n");
  return new SepError(
    "package-missing",
    `This installation is incomplete or for another platform: ${problem}. Install it again with \`npm install --ignore-scripts semantic-entropy-probes\`; onnxruntime-node has builds for Linux with glibc, macOS and Windows.`,
    { cause },
  );
}

/** The most files that this process may have open, where the system has such a limit. */
function openFilesLimit(): number {
  const { userLimits } = process.report.getReport() as {
    userLimits?: { open_files?: { soft: number | string } };
  };
  return Number.parseInt(String(userLimits?.open_files?.soft), 10) || Number.POSITIVE_INFINITY;
}

// The command waits for a promise that nothing can settle any more; Node alone would exit with status 13 and no message.
const sayStuck = (): void => {
  process.stderr.write(
    "sep: The command waited for a promise that can never settle, and ended without a result. A backend of your own can cause this if it returns a promise that nothing settles.\n",
  );
  process.exit(exitStatusOf("unexpected"));
};
process.once("beforeExit", sayStuck);

const status = await run().catch((cause: unknown) => {
  const error = explainFileError(cause);
  if (!(error instanceof SepError)) throw cause;
  process.stderr.write(`sep: ${error.message} [${error.code}; see docs/errors.md]\n`);
  return exitStatusOf(error.code);
});
process.off("beforeExit", sayStuck);
process.exitCode = signal.reason instanceof SepError ? exitStatusOf(signal.reason.code) : status;
