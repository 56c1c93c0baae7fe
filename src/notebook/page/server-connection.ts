import type { ServerEvent } from "../wire.ts";

/** The page's side of the server. */
export interface ServerConnection {
  /** Names this page, so that it knows its own changes when they come back. */
  readonly origin: string;
  /** @throws Error with the server's words */
  post(path: string, body: unknown): Promise<unknown>;
}

/** An answer that is no success. */
export class ServerRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Listens to the server; the browser connects again by itself, and each time the server begins with all there is.
 * @param connected called when the line is up or down
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
      // after an answer that is no event stream the browser gives up; a restarted server is worth another try
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
