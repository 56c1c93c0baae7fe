import { describe, expect, it } from "vitest";
import { labelRow, requireLabel } from "./unit-labels.ts";

const OF = { question_id: "q", run_id: 0 } as const;
const RIGHT = { ...OF, is_correct: true, finish_reason: "stop" } as const;
const unitOf = (text: string) => ({ span: [0, 2], textSpan: [0, text.length], text, label: null }) as const;

describe("labelRow", () => {
  it.each([
    ["7+5=12 c1", 0],
    ["7+5=13 c1", 1],
    ["She pays 3 x $1.50 = $4.50", 0],
    ["so 3 × 4 = 12 apples and 12 / 3 = 5", 1],
    ["\\frac{1}{2} + \\frac{1}{4} = \\frac{3}{4}", 0],
    ["1/2 = 2/4 = 0.6", 1],
    ["1/3 = 0.3333", 0],
    ["3+4=7*2=14", 1],
    ["1,000 - 1 = 999", 0],
    ["We know that x + 2 = 5.", "no-equation"],
    ["So it is 12.", "no-equation"],
  ])("says of the arithmetic of %j: %s", (text, label) => {
    expect(labelRow("step-incorrect", RIGHT, unitOf(text))).toBe(label);
  });

  it("takes a chain that was cut off for neither right nor wrong, and a whole answer as it was graded", () => {
    const wrong = { ...OF, is_correct: false, finish_reason: "stop" } as const;
    const cut = { ...OF, is_correct: false, finish_reason: "length" } as const;
    expect(labelRow("final-incorrect", RIGHT, unitOf("a"))).toBe(0);
    expect(labelRow("final-incorrect", wrong, unitOf("a"))).toBe(1);
    expect(labelRow("final-incorrect", cut, unitOf("a"))).toBe("censored");
    expect(labelRow("final-incorrect", cut, null)).toBe(1);
  });

  it("takes what the user said of a marked stretch", () => {
    expect(labelRow("spans", RIGHT, { ...unitOf("a"), label: 1 })).toBe(1);
    expect(labelRow("spans", RIGHT, unitOf("a"))).toBe("unmarked");
  });
});

it("knows where a label can be used", () => {
  expect(() => requireLabel("final-incorrect", "think-end")).not.toThrow();
  expect(() => requireLabel("step-incorrect", "step-end")).not.toThrow();
  expect(() => requireLabel("step-incorrect", "every-token")).toThrow(/step-end/);
  expect(() => requireLabel("step-incorrect", "think-end")).toThrow(/step-end/);
  expect(() => requireLabel("spans", "step-end")).toThrow(/--position spans/);
});
