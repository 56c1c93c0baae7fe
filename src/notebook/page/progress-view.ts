import type { Progress } from "../wire.ts";
import { element } from "./element.ts";

/** Shows how far the work of a cell is; null takes it away. */
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
export function formatTime(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 60_000) return `${(durationMs / 1_000).toFixed(1)} s`;
  const seconds = Math.round(durationMs / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
