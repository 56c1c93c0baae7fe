/**
 * Parts of the notebook, loaded when a command needs them, so that the other commands start without them.
 * They stand here because the compiler leaves `.ts` in imports inside functions with `await using`.
 */
export const loadSession = (): Promise<typeof import("../notebook/session/session.ts")> =>
  import("../notebook/session/session.ts");

export const loadCreation = (): Promise<typeof import("../notebook/session/create-notebook.ts")> =>
  import("../notebook/session/create-notebook.ts");

export const loadAgents = (): Promise<typeof import("../notebook/mcp/agent-handler.ts")> =>
  import("../notebook/mcp/agent-handler.ts");

export const loadServer = (): Promise<typeof import("../notebook/server/serve-notebook.ts")> =>
  import("../notebook/server/serve-notebook.ts");

export const loadStorage = (): Promise<typeof import("../notebook/storage-folder.ts")> =>
  import("../notebook/storage-folder.ts");
