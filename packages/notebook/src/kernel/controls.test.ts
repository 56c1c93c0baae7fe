import { settingsSchema } from "semantic-entropy-probes";
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

describe("the input of a setting", () => {
  const { temperature, topP, equivalence, nested, nliModel, seed } = settingsSchema().properties as Record<
    string,
    Parameters<typeof ui.setting>[0]
  >;

  it("is what the schema says", () => {
    expect(ui.setting(equivalence!)).toMatchObject({
      initial: "auto",
      spec: { type: "select", options: ["auto", "math", "exact", "nli", "cosine", "judge", "hybrid"] },
    });
    expect(ui.setting(topP!)).toMatchObject({
      spec: {
        type: "slider",
        label: "Nucleus sampling: keep the likeliest tokens up to this total probability; 1 is off",
        min: 0.01,
        max: 1,
        step: 0.01,
      },
    });
    expect(ui.setting(seed!)).toMatchObject({ initial: 42, spec: { type: "number", min: 0, step: 1 } });
    expect(ui.setting(nested!)).toMatchObject({ initial: false, spec: { type: "checkbox" } });
    expect(ui.setting(nliModel!)).toMatchObject({ initial: "", spec: { type: "text" } });
  });

  it("may be narrower, and no wider", () => {
    const narrow = { label: "T", min: 0.2, max: 1.5, step: 0.05, value: 0.7 };
    expect(ui.setting(temperature!, narrow)).toMatchObject({
      initial: 0.7,
      spec: { type: "slider", label: "T", min: 0.2, max: 1.5, step: 0.05 },
    });
    expect(() => ui.setting(temperature!, { label: "T", min: -1, max: 1 })).toThrow(
      'The input "T" got -1, expected at least 0 by the setting\'s schema.',
    );
    expect(() => ui.setting(equivalence!, { options: ["auto", "none"] })).toThrow(
      'got "none", expected auto, math',
    );
  });
});
