import { describe, expect, it } from "vitest";
import { checkValue, ui } from "./controls.ts";

describe("checkValue", () => {
  it.each([
    [ui.slider({ min: 1, max: 3 }), 2, [0, 4, Number.NaN, "2", null]],
    [ui.number({ min: 0 }), 1e9, [-1, "1"]],
    [ui.range({ min: 0, max: 5 }), [1, 2], [[2, 1], [1], [0, 6], 3]],
    [ui.select({ options: ["a", "b"] }), "b", ["c", 1, null]],
    [ui.multiselect({ options: ["a", "b"] }), ["b"], [["c"], "b"]],
    [ui.checkbox(), true, [1, "true"]],
    [ui.text(), "x", [1, null]],
    [ui.button(), 2, [1.5, true]],
    [ui.runButton(), true, [1]],
    [ui.table([{ a: 1 }, { a: 2 }]), [1], [[2], [-1], 0]],
    [ui.file(), null, ["x", 1]],
  ] as const)("%#: takes what fits and says what would", ({ spec }, good, bad) => {
    expect(checkValue(spec, good as never)).toEqual(good);
    for (const value of bad) expect(() => checkValue(spec, value as never)).toThrow(RangeError);
  });

  it("refuses a start value that does not fit", () => {
    expect(() => ui.slider({ min: 0, max: 1, value: 2, label: "K" })).toThrow(
      'The input "K" got 2, expected a number from 0 to 1.',
    );
  });
});

it("a table gives the rows that are chosen, a file its bytes", () => {
  const rows = [{ a: 1 }, { a: 2 }];
  expect(ui.table(rows).read([1])).toEqual([rows[1]]);
  expect(ui.file().read({ name: "n", base64: "aGk=" })).toEqual({
    name: "n",
    bytes: new Uint8Array([104, 105]),
  });
});
