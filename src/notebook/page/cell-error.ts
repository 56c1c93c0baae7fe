import type { ShownError } from "../wire.ts";
import { element } from "./element.ts";

/** Shows what is wrong with a cell in its place; null takes it away. */
export function drawError(node: HTMLElement, shown: ShownError | null): void {
  node.hidden = shown === null;
  if (shown === null) return;
  const place = shown.line === null ? "" : `line ${shown.line}: `;
  const hasStack = shown.stack !== null && shown.stack.split("\n").length > 1;
  node.replaceChildren(
    element("strong", {}, `${place}${shown.message}`),
    ...(hasStack
      ? [
          element(
            "details",
            {},
            element("summary", {}, "Where it came from"),
            element("pre", {}, shown.stack),
          ),
        ]
      : []),
  );
}
