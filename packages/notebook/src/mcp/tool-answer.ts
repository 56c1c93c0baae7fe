import { SepError } from "semantic-entropy-probes/files";
import { findCell } from "../format/edit-notebook.ts";
import { outputText } from "../script/output-text.ts";
import type { NotebookSession } from "../session/session-contract.ts";
import type { CellSource, Output } from "../wire.ts";

/** What a tool gives back. */
interface ToolAnswer {
  content: { type: "text"; text: string }[];
  structuredContent?: Record<string, unknown>;
  isError?: boolean;
  [key: string]: unknown;
}

/** Runs a tool's body; an error becomes an answer that the agent can read. */
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

/**
 * Waits until nothing runs, for a limited time: long work continues after the tool has answered.
 * @returns whether nothing runs any more
 */
export async function settleFor(session: NotebookSession, waitMs: number = WAIT_MS): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, waitMs, false);
  });
  const isSettled = await Promise.race([session.settled().then(() => true as const), late]);
  clearTimeout(timer);
  return isSettled;
}

/** Agents ask again; some clients give up on longer requests. */
const WAIT_MS = 10_000;

/** A short description of a cell, for lists. */
export function summarizeCell(
  session: NotebookSession,
  { id, kind, revision, disabled, defines, upstream, source, problem }: CellSource,
): Record<string, unknown> {
  const { status, message, error, durationMs } = session.stateOf(id);
  return {
    id,
    kind,
    revision,
    status,
    ...(message === null ? {} : { message }),
    ...(error === null && problem === null ? {} : { error: (error ?? problem)?.message }),
    ...(durationMs === null ? {} : { durationMs: Math.round(durationMs) }),
    ...(disabled ? { disabled } : {}),
    defines,
    readsFrom: upstream,
    firstLine: (source.split("\n").find((line) => line.trim() !== "") ?? "").slice(0, 100),
  };
}

/** What a cell shows, as text; long outputs are cut. */
export function describeOutputs(outputs: readonly Output[], maxChars: number): Record<string, unknown>[] {
  return outputs.map((output) => {
    const text = outputText(output);
    const isCut = text.length > maxChars;
    return {
      kind: output.kind === "html" && output.isSvg === true ? "chart" : output.kind,
      text: isCut ? text.slice(0, maxChars) : text,
      ...(isCut ? { cutFrom: text.length } : {}),
      ...(output.kind === "control"
        ? { key: output.key, control: output.control.type, value: output.value }
        : {}),
    };
  });
}

/** @throws SepError `no-such-cell` */
export function sourceOf(session: NotebookSession, id: number): CellSource {
  findCell(session.document.notebook.file, id);
  return session.cells().find((cell) => cell.id === id) as CellSource;
}
