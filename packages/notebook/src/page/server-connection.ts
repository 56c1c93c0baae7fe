import type { ControlValue, Draft, ServerEvent } from "../wire.ts";

/** The page's side of the server. */
export interface ServerConnection {
  /** Names this page, so that it knows its own changes when they come back. */
  readonly origin: string;
  /** @throws Error with the server's words */
  post(path: string, body: unknown): Promise<unknown>;
}

/** An answer with an error status. */
export class ServerRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Listens to the server. The browser reconnects by itself, and the server then begins with a full snapshot.
 * @param connected called when the connection opens or breaks
 */
export function connect(
  receive: (event: ServerEvent) => void,
  connected: (isUp: boolean) => void,
): ServerConnection {
  const origin = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16)).join("");
  const open = (): void => {
    const events = new EventSource("/events");
    events.onmessage = ({ data }) => {
      connected(true);
      receive(JSON.parse(data as string) as ServerEvent);
    };
    events.onerror = () => {
      connected(false);
      // the browser gives up after an answer that is not an event stream; the server may just be restarting
      if (events.readyState !== EventSource.CLOSED) return;
      events.close();
      setTimeout(open, RETRY_MS);
    };
  };
  open();
  return {
    origin,
    async post(path, body) {
      const response = await fetch(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const answer = (await response.json()) as { readonly error?: string };
      if (!response.ok)
        throw new ServerRefusal(response.status, answer.error ?? `The server answered ${response.status}.`);
      return answer;
    },
  };
}

const RETRY_MS = 1_500;

/**
 * Sends what readers do with inputs at once, but never two requests for one input at a time. Of the values that arrive
 * meanwhile, only the newest is sent.
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

/** Keeps typed text in the browser and on the server until it is saved. */
export interface DraftKeeper {
  keep(id: number, draft: Draft): void;
  forget(id: number): void;
  /** The newer of the browser's and the server's draft. */
  find(id: number, fromServer: Draft | null): Draft | null;
}

/** @param path tells notebooks at the same address apart */
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

/** How long typing must pause before the text is sent to the server; the browser's storage has it at once. */
const SEND_MS = 400;
