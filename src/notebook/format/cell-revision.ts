import { fingerprint } from "../../store/fingerprint.ts";
import type { NotebookCell } from "./notebook-file.ts";

/** A short name for a cell's content: an edit that was made from another revision is refused. */
export function cellRevision({
  source,
  type,
  disabled,
}: Pick<NotebookCell, "source" | "type" | "disabled">): string {
  return fingerprint(JSON.stringify([type, disabled, source])).slice(0, 12);
}
