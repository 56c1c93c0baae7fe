import { SepError } from "../../errors.ts";

/** What a tool gives back. */
export interface ToolAnswer {
  content: { type: "text"; text: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
  [key: string]: unknown;
}

/** Runs a tool's body; what goes wrong becomes an answer that the agent can read. */
export async function answerTool(
  act: () => Promise<Record<string, unknown>> | Record<string, unknown>,
): Promise<ToolAnswer> {
  try {
    const value = await act();
    return { content: [{ type: "text", text: JSON.stringify(value, null, 1) }], structuredContent: value };
  } catch (error) {
    const code = error instanceof SepError ? ` [${error.code}]` : "";
    return {
      content: [{ type: "text", text: `${error instanceof Error ? error.message : String(error)}${code}` }],
      isError: true,
    };
  }
}
