import type { IncomingMessage, Server, ServerOptions } from "node:http";
import type { Socket } from "node:net";

/**
 * Bounds what a client can hold before, or without, saying anything. A connection that has not yet sent the head of its
 * first request is pending; when there are too many, the one that has been so for the longest is closed. A real client
 * is pending for milliseconds, so hundreds of half-open connections do not keep it out.
 */
export function limitConnections(server: Server): void {
  server.maxConnections = MAX_CONNECTIONS;
  const pending = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    pending.add(socket);
    socket.once("close", () => pending.delete(socket));
    if (pending.size <= MAX_PENDING) return;
    const [oldest] = pending;
    pending.delete(oldest as Socket);
    oldest?.destroy();
  });
  server.prependListener("request", ({ socket }: IncomingMessage) => pending.delete(socket));
}

/** How long a client may take; given to the server when it is made. */
export const TIME_LIMITS: ServerOptions = {
  // the head of a request is one packet; a slow line takes a second or two
  headersTimeout: 10_000,
  // for a file of 16 MB over a slow line
  requestTimeout: 120_000,
  connectionsCheckingInterval: 2_000,
};
/** Many browsers at once open far fewer in the same moment. */
const MAX_PENDING = 64;
/** Event streams, requests, and what is pending. */
const MAX_CONNECTIONS = 512;
