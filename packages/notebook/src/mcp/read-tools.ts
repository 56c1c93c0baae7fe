import type { McpServer } from "@modelcontextprotocol/server";
import * as z from "zod/v4";
import type { NotebookSession } from "../session/session-contract.ts";
import { answerTool, describeOutputs, sourceOf, summarizeCell } from "./tool-answer.ts";

const READ_ONLY = { readOnlyHint: true, openWorldHint: false };
const id = z.number().int().positive().describe("Number of the cell");

/** Tools that only look. */
export function registerReadTools(server: McpServer, session: NotebookSession): void {
  server.registerTool(
    "list_cells",
    {
      description:
        "All cells in order: number, kind, revision, status, what they define and read, first line.",
      inputSchema: z.object({}),
      annotations: READ_ONLY,
    },
    () =>
      answerTool(() => ({
        title: session.document.notebook.file.title,
        kernel: session.kernel.status,
        cells: session.cells().map((cell) => summarizeCell(session, cell)),
      })),
  );
  server.registerTool(
    "read_cell",
    {
      description: "One cell: source, revision, status, error, outputs as text.",
      inputSchema: z.object({ id }),
      annotations: READ_ONLY,
    },
    ({ id: wanted }) =>
      answerTool(() => {
        const cell = sourceOf(session, wanted);
        const { error } = session.stateOf(wanted);
        return {
          ...summarizeCell(session, cell),
          source: cell.source,
          ...(error === null ? {} : { error }),
          outputs: describeOutputs(session.outputsOf(wanted), 4_000),
        };
      }),
  );
  server.registerTool(
    "get_graph",
    {
      description: "Which cell reads which names from which cells.",
      inputSchema: z.object({}),
      annotations: READ_ONLY,
    },
    () =>
      answerTool(() => ({
        cells: session.document.notebook.cells.map(({ graph }) => ({
          id: graph.id,
          defines: graph.defines,
          reads: graph.inputs,
          readsFrom: graph.upstream,
        })),
      })),
  );
  server.registerTool(
    "get_errors",
    {
      description: "Cells that failed or cannot run, with message, line and stack.",
      inputSchema: z.object({}),
      annotations: READ_ONLY,
    },
    () =>
      answerTool(() => ({
        errors: session.cells().flatMap((cell) => {
          const error = session.stateOf(cell.id).error ?? cell.problem;
          return error === null ? [] : [{ id: cell.id, ...error }];
        }),
      })),
  );
  server.registerTool(
    "get_outputs",
    {
      description:
        "What cells show, as text: tables as columns, charts by their labels, inputs with their keys.",
      inputSchema: z.object({
        ids: z.array(id).optional().describe("All cells if not given"),
        maxChars: z.number().int().min(1).max(100_000).default(4_000),
      }),
      annotations: READ_ONLY,
    },
    ({ ids, maxChars }) =>
      answerTool(() => {
        const wanted = ids?.map((each) => sourceOf(session, each)) ?? session.cells();
        return {
          cells: wanted.map((cell) => ({
            id: cell.id,
            status: session.stateOf(cell.id).status,
            progress: session.stateOf(cell.id).progress,
            outputs: describeOutputs(session.outputsOf(cell.id), maxChars),
          })),
        };
      }),
  );
  server.registerTool(
    "get_variable",
    {
      description: "The value of a name that a cell defines, as text; long values are cut.",
      inputSchema: z.object({ name: z.string() }),
      annotations: READ_ONLY,
    },
    ({ name }) =>
      answerTool(async () => ({ name, ...((await session.inspect(name)) as Record<string, unknown>) })),
  );
}
