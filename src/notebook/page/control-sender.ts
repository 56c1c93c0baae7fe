import type { ControlValue } from "../wire.ts";

/**
 * Sends what readers do with inputs: at once, but never two requests for one input at a time. What comes meanwhile
 * waits, and only the newest of it is sent.
 */
export function createControlSender(
  send: (key: string, value: ControlValue) => Promise<unknown>,
): (key: string, value: ControlValue) => void {
  const waiting = new Map<string, ControlValue>();
  const busy = new Set<string>();
  async function drain(key: string): Promise<void> {
    busy.add(key);
    while (waiting.has(key)) {
      const value = waiting.get(key) as ControlValue;
      waiting.delete(key);
      await send(key, value);
    }
    busy.delete(key);
  }
  return (key, value) => {
    waiting.set(key, value);
    if (!busy.has(key)) void drain(key);
  };
}
