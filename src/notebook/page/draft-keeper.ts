import type { Draft } from "../wire.ts";

/** Keeps typed text in the browser and on the server until it is saved. */
export interface DraftKeeper {
  keep(id: number, draft: Draft): void;
  forget(id: number): void;
  /** The newer one of what the browser and the server have. */
  find(id: number, fromServer: Draft | null): Draft | null;
}

/** @param path tells notebooks of one address apart */
export function createDraftKeeper(
  path: string,
  send: (id: number, draft: Draft | null) => void,
): DraftKeeper {
  const timers = new Map<number, ReturnType<typeof setTimeout>>();
  const keyOf = (id: number): string => `sep-draft:${path}:${id}`;
  const cancel = (id: number): void => {
    clearTimeout(timers.get(id));
    timers.delete(id);
  };
  return {
    keep(id, draft) {
      localStorage.setItem(keyOf(id), JSON.stringify(draft));
      cancel(id);
      timers.set(
        id,
        setTimeout(() => send(id, draft), SEND_MS),
      );
    },
    forget(id) {
      cancel(id);
      localStorage.removeItem(keyOf(id));
    },
    find(id, fromServer) {
      const text = localStorage.getItem(keyOf(id));
      const own = text === null ? null : (JSON.parse(text) as Draft);
      if (own === null || fromServer === null) return own ?? fromServer;
      return own.atMs >= fromServer.atMs ? own : fromServer;
    },
  };
}

/** Typing pauses this long before the server gets the text; the browser's own store has it at once. */
const SEND_MS = 400;
