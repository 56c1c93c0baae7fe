import { spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { openRedactor } from "../../checkpoint/hub/hub.ts";
import { createLineRedactor } from "../../text/redact.ts";

// The entry point of a process between this program and a server that it has started. It ends the server, and
// everything that the server has started, when its standard input closes: on request, and also if this program was
// killed. The server's output passes through here too, so that its log contains no key.
// Arguments: milliseconds to wait between SIGTERM and SIGKILL, the program, its arguments.

const [graceMs, program, ...args] = process.argv.slice(2) as [string, string, ...string[]];
const redactor = await openRedactor(process.env);
const server = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });

const pass = (from: Readable, to: NodeJS.WriteStream): void => {
  const lines = createLineRedactor(redactor.message, (text) => void to.write(text));
  from.setEncoding("utf8").on("data", lines.push).on("end", lines.end);
};
pass(server.stdout, process.stdout);
pass(server.stderr, process.stderr);

const signalAll = (signal: NodeJS.Signals): void => {
  if (server.pid === undefined) return;
  try {
    process.kill(-server.pid, signal); // the whole group
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
};

server.once("error", (error: NodeJS.ErrnoException) => {
  process.stderr.write(`${program}: ${error.message}\n`);
  process.exit(error.code === "ENOENT" ? 127 : 126);
});
server.once("exit", (code) => {
  signalAll("SIGKILL"); // workers that it left
  server.once("close", () => process.exit(code ?? 1)); // with the end of what it printed
  setTimeout(() => process.exit(code ?? 1), LAST_WORDS_MS); // one that left the group may hold the pipes for ever
});

const LAST_WORDS_MS = 2_000;
let stopping = false;
const stop = (): void => {
  if (stopping) return;
  stopping = true;
  signalAll("SIGTERM");
  setTimeout(() => signalAll("SIGKILL"), Number(graceMs));
};
process.stdin.once("end", stop).once("close", stop).once("error", stop).resume();
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, stop);
