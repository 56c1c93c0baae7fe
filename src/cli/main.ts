#!/usr/bin/env node
import { runCli } from "./run-cli.ts";

const controller = new AbortController();

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

process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  env: process.env,
  signal: controller.signal,
  now: () => performance.now(),
});
