import type { CellState } from "../wire.ts";
import { element } from "./element.ts";
import { formatTime } from "./progress-view.ts";

/** The words beside a cell: where it stands, in a glance. */
export function drawStatus(node: HTMLElement, { status, durationMs }: CellState, isText: boolean): void {
  const word = isText && (status === "done" || status === "idle") ? "" : wordOf(status, durationMs);
  node.replaceChildren(element("i", { class: "dot", "aria-hidden": "true" }), word);
  node.title = MEANINGS[status];
}

function wordOf(status: CellState["status"], durationMs: number | null): string {
  if (status === "done") return durationMs === null ? "" : formatTime(durationMs);
  return status === "idle" ? "" : status;
}

const MEANINGS: Readonly<Record<CellState["status"], string>> = {
  idle: "Did not run yet",
  queued: "Runs soon",
  running: "Runs now",
  done: "Up to date",
  stale: "Its results are of older code or inputs",
  waiting: "Waits until you start it",
  blocked: "Something that it reads has no value",
  disabled: "Left out",
  interrupted: "Was interrupted",
  error: "Failed",
};
