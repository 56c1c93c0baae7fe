import { spawn } from "node:child_process";
import type { CliContext } from "./command.ts";

/** Opens an address in the machine's browser. If there is none, nothing happens: the address is also printed. */
export function openBrowser(address: string, context: CliContext): void {
  if (!hasScreen(context)) return;
  const [program, ...args] =
    process.platform === "darwin"
      ? ["open", address]
      : process.platform === "win32"
        ? ["cmd", "/c", "start", "", address]
        : ["xdg-open", address];
  const child = spawn(program as string, args, { stdio: "ignore", detached: true });
  child.on("error", () => undefined);
  child.unref();
}

/** Whether there is a screen to open a browser on. */
export const hasScreen = ({ env }: CliContext): boolean =>
  process.platform !== "linux" || env.DISPLAY !== undefined || env.WAYLAND_DISPLAY !== undefined;

/** How long a command that serves runs. */
export const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
