import type { ServerResponse } from "node:http";
import type { Session } from "../session/session-contract.ts";
import type { CellSource, ServerEvent } from "../wire.ts";

/**
 * Sends a page everything that there is, and from then on everything that changes, as server-sent events.
 * A reader of an app gets no code.
 */
export function streamEvents(session: Session, mode: "edit" | "app", response: ServerResponse): void {
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  const send = (event: ServerEvent): void => {
    // whoever does not read what comes would have all of it kept here; the browser connects again and starts anew
    if (response.writableLength > MAX_BACKLOG_BYTES) return void response.destroy();
    response.write(`data: ${JSON.stringify(mode === "app" ? withoutCode(event) : event)}\n\n`);
  };
  send(snapshotOf(session, mode));
  const stop = session.listen(send);
  // proxies and sleeping laptops: a line now and then shows both sides that the other is there
  const beat = setInterval(() => response.write(": here\n\n"), HEARTBEAT_MS);
  response.on("close", () => {
    clearInterval(beat);
    stop();
  });
}

function snapshotOf(session: Session, mode: "edit" | "app"): ServerEvent {
  const cells = session.cells();
  return {
    kind: "snapshot",
    title: session.document.notebook.file.title,
    path: session.document.path,
    mode,
    cells,
    states: cells.map(({ id }) => [id, session.stateOf(id)]),
    outputs: cells.map(({ id }) => [id, session.outputsOf(id)]),
    kernel: session.kernel,
  };
}

function withoutCode(event: ServerEvent): ServerEvent {
  if (event.kind === "state" && event.state.error !== null) {
    return { ...event, state: { ...event.state, error: { ...event.state.error, stack: null } } };
  }
  if (event.kind !== "snapshot" && event.kind !== "cells") return event;
  const cells = event.cells.map((cell): CellSource => ({ ...cell, source: "", draft: null, problem: null }));
  return event.kind === "snapshot" ? { ...event, cells, path: "" } : { ...event, cells };
}

/** Far more than what is on the way to a page that is awake. */
const MAX_BACKLOG_BYTES = 64 * 1024 * 1024;
const HEARTBEAT_MS = 15_000;
