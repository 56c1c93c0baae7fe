import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod/v4";
import { CONTROL_VALUE_SCHEMA } from "../server/routes.ts";
import type { Session } from "../session/session-contract.ts";
import { answerTool, settleFor, sourceOf, summarizeCell } from "./tool-answer.ts";

const id = z.number().int().positive();
const waitMs = z
  .number()
  .int()
  .min(0)
  .max(120_000)
  .default(10_000)
  .describe("How long to wait for the end; the work goes on in any case");
const RUNS = { destructiveHint: false, openWorldHint: true };

/** Tools that run cells. */
export function registerRunTools(server: McpServer, session: Session): void {
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
      description: "Runs cells, before them what they need, and after them what depends on them.",
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
        "Stops what runs. A kernel that does not react is killed and started again; then all values are gone.",
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
