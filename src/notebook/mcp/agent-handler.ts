import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { readTool } from "../../study/step.ts";
import type { AgentHandler } from "../server/serve-notebook.ts";
import type { Session } from "../session/session-contract.ts";
import { registerEditTools } from "./edit-tools.ts";
import { registerReadTools } from "./read-tools.ts";
import { registerRunTools } from "./run-tools.ts";

/**
 * Lets an agent read, edit and run an open notebook over the Model Context Protocol. What it does shows in every
 * open page at once, and what others changed meanwhile is never overwritten.
 */
export function createAgentHandler(session: Session): AgentHandler {
  const handler = createMcpHandler(() => {
    const server = new McpServer(
      { name: "sep-notebook", version: readTool().version },
      { instructions: INSTRUCTIONS },
    );
    registerReadTools(server, session);
    registerEditTools(server, session);
    registerRunTools(server, session);
    return server;
  });
  const answer = toNodeHandler(handler);
  return async (request, response, body) => answer(request as never, response as never, body);
}

const INSTRUCTIONS = `This is a reactive notebook. Cells are TypeScript or Markdown; a cell's top-level names are visible in all others, each name has one definition, and a cell runs again when something that it reads changes. Read a cell before you edit it, and pass the revision that you read: an edit from an older revision is refused. Cells show things with display(x) and inputs with view(ui.slider({…})); costly cells begin with stop(!button).`;
