import { spawn } from "node:child_process";
import type { CliContext } from "./command.ts";

/** Opens an address in the machine's browser. Where there is none, nothing happens: the address is also printed. */
export function openBrowser(address: string, { env }: CliContext): void {
  const [program, ...args] =
    process.platform === "darwin"
      ? ["open", address]
      : process.platform === "win32"
        ? ["cmd", "/c", "start", "", address]
        : ["xdg-open", address];
  if (process.platform === "linux" && env.DISPLAY === undefined && env.WAYLAND_DISPLAY === undefined) return;
  const child = spawn(program as string, args, { stdio: "ignore", detached: true });
  child.on("error", () => undefined);
  child.unref();
}
