import { spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import type { CliContext } from "./command.ts";
import { loadStorage } from "./notebook-door.ts";

/** Opens an address in the machine's browser. Where there is none, nothing happens: the address is also printed. */
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

/**
 * Opens an address that holds a token. Every user of the machine can read what arguments a program was started with,
 * so the browser gets the name of a file that only its owner can read, and which leads on.
 * @param path where that file goes; it is gone when the address was used, or at the end
 * @param used resolves when somebody came in with the address
 */
export async function openSecretly(
  address: string,
  path: string,
  used: Promise<void>,
  context: CliContext,
): Promise<AsyncDisposable | null> {
  if (!hasScreen(context)) return null;
  const { writeStored } = await loadStorage();
  const remove = (): Promise<void> => rm(path, { force: true });
  // a token has no characters that mean anything in HTML
  await writeStored(
    path,
    `<!doctype html>\n<meta charset="utf-8">\n<meta http-equiv="refresh" content="0;url=${address}">\n<title>Opening the notebook</title>\n<a href="${address}">Open the notebook</a>\n`,
  );
  openBrowser(pathToFileURL(path).href, context);
  void used.then(remove).catch(() => undefined);
  return { [Symbol.asyncDispose]: remove };
}

/** Whether there is a screen to open a browser on. */
const hasScreen = ({ env }: CliContext): boolean =>
  process.platform !== "linux" || env.DISPLAY !== undefined || env.WAYLAND_DISPLAY !== undefined;
