import { createKernel, type Kernel } from "./kernel.ts";
import type { FromKernel, ToKernel } from "./messages.ts";

/** The process that a notebook's cells run in: forked, so that it can be killed whatever they do. */

const send = (message: FromKernel): void => {
  process.send?.(message);
};
let kernel: Kernel | null = null;

process.on("message", (message: ToKernel) => {
  if (message.kind !== "open") return kernel?.receive(message);
  kernel = createKernel(message.settings, send);
  captureConsole(kernel);
  send({ kind: "ready" });
});

// the session's process is gone, so nobody needs the results
process.on("disconnect", () => process.exit(0));
// Ctrl-C reaches the whole group; whoever forked this process ends it
process.on("SIGINT", () => undefined);
for (const name of ["unhandledRejection", "uncaughtException"] as const) {
  process.on(name, (error: unknown) =>
    console.error("Work that a cell had started failed after the cell had ended:", error),
  );
}

function captureConsole({ log }: Kernel): void {
  for (const [method, level] of [
    ["log", "log"],
    ["info", "log"],
    ["debug", "log"],
    ["warn", "warn"],
    ["error", "error"],
  ] as const) {
    const original = console[method].bind(console);
    console[method] = (...values: unknown[]) => {
      if (!log(level, values)) original(...values);
    };
  }
}
