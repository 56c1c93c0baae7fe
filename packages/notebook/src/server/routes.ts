import * as z from "zod/v4";
import type { WantedEdit } from "../session/notebook-document.ts";
import type { Session } from "../session/session-contract.ts";
import type { ControlValue } from "../wire.ts";

/** What a POST route does with a body that was checked. */
interface Route {
  readonly isForReaders: boolean;
  run(body: unknown, session: Session): Promise<unknown>;
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

/** The routes that change something; readers of an app may only move its inputs. */
export const ROUTES: ReadonlyMap<string, Route> = new Map([
  [
    "/api/edit",
    route(
      z.object({ edits: z.array(EDIT_SCHEMA).min(1).max(500), run: z.boolean().default(false), origin }),
      async (body, session) => {
        const changed = await session.edit(body.edits, { run: body.run, origin: body.origin });
        const revisions = new Map(session.cells().map((cell) => [cell.id, cell.revision]));
        return { changed: changed.map((each) => ({ id: each, revision: revisions.get(each) })) };
      },
    ),
  ],
  [
    "/api/run",
    route(
      z.object({ ids: z.union([z.array(id), z.literal("all"), z.literal("stale")]) }),
      async ({ ids }, session) => session.run(ids),
    ),
  ],
  [
    "/api/control",
    route(
      z.object({ key: z.string().max(64), value: CONTROL_VALUE_SCHEMA, origin }),
      (body, session) => session.setControl(body.key, body.value, body.origin),
      true,
    ),
  ],
  [
    "/api/draft",
    route(
      z.object({ id, draft: z.object({ text: z.string(), base, atMs: z.number() }).nullable() }),
      ({ id: cell, draft }, session) => session.saveDraft(cell, draft),
    ),
  ],
  ["/api/interrupt", route(z.object({}), (_body, session) => session.interrupt())],
  ["/api/restart", route(z.object({}), async (_body, session) => session.restart())],
  [
    "/api/lazy",
    route(z.object({ isLazy: z.boolean() }), async ({ isLazy }, session) => session.setLazy(isLazy)),
  ],
]);

function route<Body>(
  schema: z.ZodType<Body>,
  run: (body: Body, session: Session) => Promise<unknown>,
  isForReaders = false,
): Route {
  return { isForReaders, run: (body, session) => run(schema.parse(body), session) };
}
