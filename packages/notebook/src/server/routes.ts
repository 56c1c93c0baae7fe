import type { ServerResponse } from "node:http";
import type { HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { SepError } from "semantic-entropy-probes/files";
import * as z from "zod/v4";
import type { WantedEdit } from "../session/notebook-document.ts";
import type { NotebookSession } from "../session/session-contract.ts";
import type { CellSource, ControlValue, ServerEvent } from "../wire.ts";

/** Answers an agent's requests, whose bodies are parsed already; `mcp/` makes it. */
export type AgentHandler = (request: Request, body: unknown) => Promise<Response>;

/** A file of the page, in memory. */
export interface PageFile {
  readonly type: string;
  readonly body: string;
}

interface RouteOptions {
  readonly agent: AgentHandler | null;
  /** By path. */
  readonly files: ReadonlyMap<string, PageFile>;
}

/** The largest body that a request may have; files that a reader uploads are the largest. */
export const MAX_BODY_BYTES: number = 16 * 1024 * 1024;

type Env = { Bindings: HttpBindings };

/** What an open notebook answers. Readers of an app may only move its inputs. */
export function createRoutes(
  session: NotebookSession,
  mode: "edit" | "app",
  { agent, files }: RouteOptions,
): Hono<Env> {
  const app = new Hono<Env>();
  app.notFound((c) => c.json({ error: "There is no such page." }, 404));
  app.onError((error) => {
    const { status, body } = describeFailure(error);
    return Response.json(body, { status });
  });
  app.use(bodyLimit({ maxSize: MAX_BODY_BYTES, onError: refuseBody }));

  for (const [path, { type, body }] of files)
    app.get(path, (c) => c.body(body, 200, { "content-type": `${type}; charset=utf-8` }));

  let streams = 0;
  app.get("/events", ({ env: { outgoing } }) => {
    if (streams >= MAX_STREAMS) throw new HTTPException(503, { message: TOO_MANY_PAGES });
    streams += 1;
    outgoing.on("close", () => {
      streams -= 1;
    });
    streamEvents(session, mode, outgoing);
    return RESPONSE_ALREADY_SENT;
  });

  if (agent !== null) {
    app.post("/mcp", async (c) => agent(c.req.raw, await readJson(c)));
    app.get("/mcp", (c) => c.json({ error: "The agent's route answers POST." }, 405));
  }

  const post = <Body>(
    path: string,
    schema: z.ZodType<Body>,
    run: (body: Body) => unknown,
    isForReaders = false,
  ): void => {
    if (mode === "app" && !isForReaders) return;
    app.post(path, async (c) => Response.json((await run(schema.parse(await readJson(c)))) ?? {}));
  };
  post("/api/edit", EDITS_SCHEMA, async ({ edits, run, origin: from }) => {
    const changed = await session.edit(edits, { run, origin: from });
    const revisions = new Map(session.cells().map((cell) => [cell.id, cell.revision]));
    return { changed: changed.map((each) => ({ id: each, revision: revisions.get(each) })) };
  });
  post(
    "/api/run",
    z.object({ ids: z.union([z.array(id), z.literal("all"), z.literal("stale")]) }),
    ({ ids }) => session.run(ids),
  );
  post(
    "/api/control",
    z.object({ key: z.string().max(64), value: CONTROL_VALUE_SCHEMA, origin }),
    ({ key, value, origin: from }) => session.setControl(key, value, from),
    true,
  );
  post(
    "/api/draft",
    z.object({ id, draft: z.object({ text: z.string(), base, atMs: z.number() }).nullable() }),
    ({ id: cell, draft }) => session.saveDraft(cell, draft),
  );
  post("/api/interrupt", z.object({}), () => session.interrupt());
  post("/api/restart", z.object({}), () => session.restart());
  post("/api/lazy", z.object({ isLazy: z.boolean() }), ({ isLazy }) => session.setLazy(isLazy));
  return app;
}

const id = z.number().int().positive();
const base = z.string();
const after = id.nullable();
const origin = z.string().max(64).nullable().default(null);

const EDIT_SCHEMA: z.ZodType<WantedEdit> = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("source"), id, source: z.string(), base }),
  z.object({ kind: z.literal("disable"), id, disabled: z.boolean(), base }),
  z.object({ kind: z.literal("delete"), id, base }),
  z.object({ kind: z.literal("move"), id, after }),
  z.object({ kind: z.literal("restore"), id }),
  z.object({
    kind: z.literal("add"),
    after,
    cellKind: z.enum(["ts", "js", "markdown", "html"]),
    source: z.string(),
  }),
]);

export const CONTROL_VALUE_SCHEMA: z.ZodType<ControlValue> = z.union([
  z.null(),
  z.boolean(),
  z.number(),
  z.string(),
  z.array(z.number()),
  z.array(z.string()),
  z.object({ name: z.string(), base64: z.string() }),
]);

const EDITS_SCHEMA = z.object({
  edits: z.array(EDIT_SCHEMA).min(1).max(500),
  run: z.boolean().default(false),
  origin,
});

async function readJson(c: Context<Env>): Promise<unknown> {
  const text = await c.req.text();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HTTPException(400, { message: `The body is not JSON: ${(cause as Error).message}`, cause });
  }
}

/** A chunked body that grew too large; the gate checks stated lengths. */
function refuseBody(): never {
  throw new HTTPException(413, { message: `The body is larger than ${MAX_BODY_BYTES} bytes.` });
}

function describeFailure(error: unknown): { readonly status: number; readonly body: Record<string, string> } {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof HTTPException) return { status: error.status, body: { error: message } };
  if (error instanceof SepError)
    return { status: STATUS_OF[error.code] ?? 400, body: { error: message, code: error.code } };
  if (error instanceof z.ZodError) {
    const issues = error.issues.map(({ path, message: issue }) => `${path.join(".")}: ${issue}`);
    return { status: 400, body: { error: issues.join("; ") } };
  }
  return { status: 500, body: { error: message } };
}

const STATUS_OF: Partial<Record<SepError["code"], number>> = {
  "stale-revision": 409,
  "no-such-cell": 404,
  "kernel-died": 503,
};

/** Each page holds one stream open; more than this is a mistake or an attack on the memory. */
const MAX_STREAMS = 32;
const TOO_MANY_PAGES = `${MAX_STREAMS} pages of this notebook are open. Close one and reload this one.`;

/**
 * Sends a page a snapshot, and from then on every change, as server-sent events.
 * A reader of an app gets no code.
 */
function streamEvents(session: NotebookSession, mode: "edit" | "app", response: ServerResponse): void {
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-accel-buffering": "no",
  });
  const send = (event: ServerEvent): void => {
    // a client that does not read would fill the memory; a browser reconnects and gets a new snapshot
    if (response.writableLength > MAX_BACKLOG_BYTES) return void response.destroy();
    response.write(`data: ${JSON.stringify(mode === "app" ? withoutCode(event) : event)}\n\n`);
  };
  send(snapshotOf(session, mode));
  const stop = session.listen(send);
  // a heartbeat, so that proxies and waking laptops notice a dead connection
  const beat = setInterval(() => response.write(": here\n\n"), HEARTBEAT_MS);
  response.on("close", () => {
    clearInterval(beat);
    stop();
  });
}

function snapshotOf(session: NotebookSession, mode: "edit" | "app"): ServerEvent {
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

/** Far more than is ever in flight to a page that reads. */
const MAX_BACKLOG_BYTES = 64 * 1024 * 1024;
const HEARTBEAT_MS = 15_000;
