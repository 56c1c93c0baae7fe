import { findCell } from "../format/edit-notebook.ts";
import { outputText } from "../script/output-text.ts";
import type { Session } from "../session/session-contract.ts";
import type { CellSource, Output } from "../wire.ts";

/** A cell in a few words, for lists. */
export function summarizeCell(
  session: Session,
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
export function sourceOf(session: Session, id: number): CellSource {
  findCell(session.document.notebook.file, id);
  return session.cells().find((cell) => cell.id === id) as CellSource;
}
