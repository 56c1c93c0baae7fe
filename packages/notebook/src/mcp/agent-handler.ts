import { createRequire } from "node:module";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import * as z from "zod/v4";
import { type AgentHandler, CONTROL_VALUE_SCHEMA } from "../server/routes.ts";
import type { WantedEdit } from "../session/notebook-document.ts";
import type { NotebookSession } from "../session/session-contract.ts";
import { registerReadTools } from "./read-tools.ts";
import { answerTool, settleFor, sourceOf, summarizeCell } from "./tool-answer.ts";

/**
 * Lets an agent read, edit and run an open notebook over the Model Context Protocol. What it does shows in every
 * open page at once, and what others changed meanwhile is never overwritten.
 */
export function createAgentHandler(session: NotebookSession): AgentHandler {
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: "sep-notebook", version: VERSION }, { instructions: INSTRUCTIONS });
    registerReadTools(server, session);
    registerEditTools(server, session);
    registerRunTools(server, session);
    return server;
  });
  return (request, parsedBody) => handler.fetch(request, { parsedBody });
}

const { version: VERSION } = createRequire(import.meta.url)("../../package.json") as { version: string };

const INSTRUCTIONS = `This is a reactive notebook. Cells are TypeScript or Markdown; a cell's top-level names are visible in all others, each name has one definition, and a cell runs again when something that it reads changes. Read a cell before you edit it, and pass the revision that you read: an edit from an older revision is refused. Cells show things with display(x) and inputs with view(ui.slider({…})); costly cells begin with stop(!button).`;

const id = z.number().int().positive();
const revision = z.string().describe("The revision that you read; an older one is refused");
const run = z.boolean().default(true).describe("Run the changed cells and what depends on them");
const WRITES = { destructiveHint: true, openWorldHint: false };

/** Tools that change the file. */
function registerEditTools(server: McpServer, session: NotebookSession): void {
  const apply = (edits: readonly WantedEdit[], runs: boolean) =>
    answerTool(async () => {
      const changed = await session.edit(edits, { run: runs, origin: "agent" });
      const isSettled = runs ? await settleFor(session) : true;
      return { changed: changed.map((each) => summarizeCell(session, sourceOf(session, each))), isSettled };
    });
  server.registerTool(
    "edit_cells",
    {
      description: "Replaces the source of cells: all of them or, if one revision is stale, none.",
      inputSchema: z.object({
        edits: z
          .array(z.object({ id, source: z.string(), revision }))
          .min(1)
          .max(100),
        run,
      }),
      annotations: WRITES,
    },
    ({ edits, run: runs }) =>
      apply(
        edits.map(({ id: cell, source, revision: base }) => ({ kind: "source", id: cell, source, base })),
        runs,
      ),
  );
  server.registerTool(
    "add_cell",
    {
      description: "Adds a cell after another one.",
      inputSchema: z.object({
        after: id
          .nullable()
          .default(null)
          .describe("Number of the cell to insert it after; null puts it first"),
        kind: z.enum(["ts", "js", "markdown", "html"]).default("ts"),
        source: z.string(),
        run,
      }),
      annotations: { ...WRITES, destructiveHint: false },
    },
    ({ after, kind, source, run: runs }) => apply([{ kind: "add", after, cellKind: kind, source }], runs),
  );
  server.registerTool(
    "delete_cell",
    { description: "Deletes a cell.", inputSchema: z.object({ id, revision }), annotations: WRITES },
    ({ id: cell, revision: base }) => apply([{ kind: "delete", id: cell, base }], true),
  );
}

const waitMs = z
  .number()
  .int()
  .min(0)
  .max(120_000)
  .default(10_000)
  .describe("How long to wait for the result; the work continues in any case");
const RUNS = { destructiveHint: false, openWorldHint: true };

/** Tools that run cells. */
function registerRunTools(server: McpServer, session: NotebookSession): void {
  const afterwards = async (wait: number): Promise<Record<string, unknown>> => {
    const isSettled = await settleFor(session, wait);
    return {
      isSettled,
      kernel: session.kernel,
      cells: session.cells().map((cell) => summarizeCell(session, cell)),
    };
  };
  server.registerTool(
    "run_cells",
    {
      description: "Runs cells: first what they need, afterwards what depends on them.",
      inputSchema: z.object({ ids: z.union([z.array(id).min(1), z.literal("all")]), waitMs }),
      annotations: RUNS,
    },
    ({ ids, waitMs: wait }) =>
      answerTool(async () => {
        if (ids !== "all") for (const each of ids) sourceOf(session, each);
        session.run(ids);
        return afterwards(wait);
      }),
  );
  server.registerTool(
    "run_stale",
    {
      description: "Runs all cells that never ran or whose results are out of date.",
      inputSchema: z.object({ waitMs }),
      annotations: RUNS,
    },
    ({ waitMs: wait }) =>
      answerTool(async () => {
        session.run("stale");
        return afterwards(wait);
      }),
  );
  server.registerTool(
    "set_input",
    {
      description: "Sets an input by its key (see get_outputs). true presses a run button.",
      inputSchema: z.object({ key: z.string(), value: CONTROL_VALUE_SCHEMA, waitMs }),
      annotations: RUNS,
    },
    ({ key, value, waitMs: wait }) =>
      answerTool(async () => {
        await session.setControl(key, value, "agent");
        return afterwards(wait);
      }),
  );
  server.registerTool(
    "interrupt",
    {
      description:
        "Stops running cells. A kernel that does not react is killed and restarted, and all values are lost.",
      inputSchema: z.object({}),
      annotations: RUNS,
    },
    () =>
      answerTool(async () => {
        await session.interrupt();
        return { kernel: session.kernel };
      }),
  );
}
