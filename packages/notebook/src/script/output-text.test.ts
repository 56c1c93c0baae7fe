import { expect, it } from "vitest";
import { outputText } from "./output-text.ts";

it("names charts among other markup instead of reading out their ticks and styles", () => {
  const chart = (label: string): string =>
    `<figure><style>.plot { color: red }</style><svg aria-label="${label}"><text>0.5</text></svg></figure>`;
  const html = `<div><p>Two charts</p>${chart("ROC curves")}${chart("Reliability")}</div>`;
  expect(outputText({ kind: "html", html })).toBe("Two charts\n[chart: ROC curves]\n\n[chart: Reliability]");
  expect(outputText({ kind: "html", html: '<svg aria-label="Alone"></svg>', isSvg: true })).toBe(
    "[chart: Alone]",
  );
});
