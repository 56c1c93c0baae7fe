import { setMaxListeners } from "node:events";

/**
 * Calls back when a signal is aborted.
 * @returns what takes the callback back
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => undefined;
  setMaxListeners(0, signal); // many requests share one signal, and each takes its own listener back
  signal.addEventListener("abort", callback, { once: true });
  return () => signal.removeEventListener("abort", callback);
}
