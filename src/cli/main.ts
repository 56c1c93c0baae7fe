#!/usr/bin/env node
import { findSecrets } from "../text/find-secrets.ts";
import { createRedactor } from "../text/redact.ts";
import { runCli } from "./run-cli.ts";

const args = process.argv.slice(2);
const controller = new AbortController();

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
    process.stderr.write("\nStopping; press Ctrl-C again to kill.\n");
    controller.abort();
  });
}

// A reader that went away (`sep run | head`) ends the work; there is nobody left to tell.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    controller.abort();
  });
}

process.exitCode = await runCli(args, {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  signal: controller.signal,
  now: () => performance.now(),
});
