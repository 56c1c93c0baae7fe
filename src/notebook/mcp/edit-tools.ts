import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod/v4";
import type { WantedEdit } from "../session/notebook-document.ts";
import type { Session } from "../session/session-contract.ts";
import { sourceOf, summarizeCell } from "./describe-cell.ts";
import { settleFor } from "./settle.ts";
import { answerTool } from "./tool-answer.ts";

const id = z.number().int().positive();
const revision = z.string().describe("The revision that you read; an older one is refused");
const run = z.boolean().default(true).describe("Run the changed cells and what depends on them");
const WRITES = { destructiveHint: true, openWorldHint: false };

/** Tools that change the file. */
export function registerEditTools(server: McpServer, session: Session): void {
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
      description: "Adds a cell behind another one.",
      inputSchema: z.object({
        after: id.nullable().default(null).describe("Number of the cell to stand behind; null puts it first"),
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
