import type { CellState, Progress, ShownError } from "../wire.ts";
import { element } from "./element.ts";

/** The word beside a cell that says what state it is in. */
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
  idle: "Has not run yet",
  queued: "Runs soon",
  running: "Runs now",
  done: "Up to date",
  stale: "Its results come from older code or inputs",
  waiting: "Waits for you to run it",
  blocked: "Something that it reads has no value",
  disabled: "Left out",
  interrupted: "Was interrupted",
  error: "Failed",
};

/** Shows what is wrong with a cell, below its output; null removes it. */
export function drawError(node: HTMLElement, shown: ShownError | null): void {
  node.hidden = shown === null;
  if (shown === null) return;
  const place = shown.line === null ? "" : `line ${shown.line}: `;
  const hasStack = shown.stack !== null && shown.stack.split("\n").length > 1;
  node.replaceChildren(
    element("strong", {}, `${place}${shown.message}`),
    ...(hasStack
      ? [element("details", {}, element("summary", {}, "Stack trace"), element("pre", {}, shown.stack))]
      : []),
  );
}

/** Shows how far a cell has got; null removes it. */
export function createProgress(): { readonly node: HTMLElement; show(progress: Progress | null): void } {
  const node = element("div", { class: "progress", hidden: true });
  const label = element("span", { class: "progress-label" });
  const facts = element("span", { class: "progress-facts" });
  const bar = element("progress", { max: 1 });
  const notes = element("ul", { class: "progress-notes" });
  node.append(element("div", { class: "progress-head" }, label, facts), bar, notes);
  return {
    node,
    show(progress) {
      node.hidden = progress === null;
      if (progress === null) return;
      const { done, total, detail, elapsedMs, etaMs, messages, isFinished } = progress;
      node.classList.toggle("finished", isFinished);
      label.textContent = progress.label || (isFinished ? "Done" : "Working");
      bar.setAttribute("aria-label", label.textContent);
      if (total === null) bar.removeAttribute("value");
      else bar.value = total === 0 ? 1 : done / total;
      facts.textContent = [
        ...(total !== null ? [`${done} / ${total}`] : done > 0 ? [String(done)] : []),
        ...(detail === "" || isFinished ? [] : [detail]),
        isFinished
          ? formatTime(elapsedMs)
          : etaMs === null
            ? formatTime(elapsedMs)
            : `${formatTime(etaMs)} left`,
      ].join(" · ");
      notes.replaceChildren(...messages.map(({ level, text }) => element("li", { class: level }, text)));
    },
  };
}

/** 320 ms, 4.2 s, 1:05 */
function formatTime(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 60_000) return `${(durationMs / 1_000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
