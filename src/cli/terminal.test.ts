import { describe, expect, it } from "vitest";
import { createFakeCli } from "../../test/fakes/cli-context.ts";
import { hang, layOutRow, setMessage } from "./terminal.ts";

describe("layOutRow", () => {
  const widths = [10, 6, 8];
  it("puts numbers under one another, and ends without spaces", () => {
    expect(layOutRow(["  probe", "0.5", "6/12"], widths, 24)).toBe("  probe      0.5    6/12");
    expect(layOutRow(["  probe", "none", ""], widths, 24)).toBe("  probe     none");
  });
  it("leaves out the last columns where they do not fit, in every row alike", () => {
    expect(layOutRow(["  probe", "0.5", "6/12"], widths, 23)).toBe("  probe      0.5");
    expect(layOutRow(["", "AUROC", ""], widths, 23)).toBe("           AUROC");
    expect(layOutRow(["  probe", "0.5", "6/12"], widths, 15)).toBe("  probe");
  });
});

it("text below a heading is at most 80 columns wide, with its further lines indented", () => {
  const text = "word ".repeat(30).trim();
  for (const [columns, widest] of [
    [60, 60],
    [80, 80],
    [200, 80],
  ] as const) {
    const lines = hang(text, columns);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(widest);
    expect(lines[0]).toMatch(/^ {2}word/);
    for (const line of lines.slice(1)) expect(line).toMatch(/^ {4}word/);
    expect(lines.map((line) => line.trim()).join(" ")).toBe(text);
  }
});

it("a message is wrapped on a terminal, and is one line in a log", () => {
  const message = `sep run: ${"word ".repeat(20)}[bad-option]`;
  const { context: log } = createFakeCli({ columns: 60 });
  expect(setMessage(message, log.stderr)).toBe(message);
  const { context: terminal } = createFakeCli({ columns: 60, isTTY: true });
  const lines = setMessage(message, terminal.stderr).split("\n");
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(60);
  expect(lines.map((line) => line.trim()).join(" ")).toBe(message);
});
