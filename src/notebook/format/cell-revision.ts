import { createHash } from "node:crypto";
import type { NotebookCell } from "./notebook-file.ts";

/** A short name for a cell's content: an edit that was made from another revision is refused. */
export function cellRevision({
  source,
  type,
  disabled,
}: Pick<NotebookCell, "source" | "type" | "disabled">): string {
  return createHash("sha256")
    .update(JSON.stringify([type, disabled, source]))
    .digest("hex")
    .slice(0, 12);
}
