/** The notebook of semantic-entropy-probes for programs. What `sep` calls is the entry `/commands`. */

export type { GatedServer } from "semantic-entropy-probes/files";
export { createAgentHandler } from "./mcp/agent-handler.ts";
export { outputText } from "./script/output-text.ts";
export { type ExportedNotebook, renderExport } from "./script/render-export.ts";
export {
  type RunNotebookOptions,
  runNotebook,
  type ScriptEvent,
  type ScriptResult,
} from "./script/run-notebook.ts";
export { type ServeNotebookOptions, serveNotebook } from "./server/serve-notebook.ts";
export { findMistakes, type NotebookMistake } from "./session/analyze-notebook.ts";
export { type NotebookDocument, openDocument } from "./session/notebook-document.ts";
export { openSession } from "./session/session.ts";
export type { NotebookSession, NotebookSessionOptions } from "./session/session-contract.ts";
export { type NotebookResults, readResults } from "./storage-folder.ts";
