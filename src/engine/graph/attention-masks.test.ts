import { describe, expect, it } from "vitest";
import { capacityMask, newTokenMask, wholeMask } from "./attention-masks.ts";

/** 1 where a token may look, row after row. */
const seen = (mask: Float32Array, width: number): string[] =>
  Array.from({ length: mask.length / width }, (_, row) =>
    [...mask.subarray(row * width, (row + 1) * width)].map((value) => (value === 0 ? 1 : 0)).join(""),
  );

describe("wholeMask", () => {
  // 3 prefix tokens in a capacity of 4, 2 suffix tokens in a capacity of 4, 3 new ones: positions 0-2, 3-4, 5-7
  const spans = { prefixLength: 3, prefixCapacity: 4, suffixLength: 2, suffixCapacity: 4, tokens: 3 };

  it.each([
    [null, ["1110 1100 100", "1110 1100 110", "1110 1100 111"]],
    [8, ["1110 1100 100", "1110 1100 110", "1110 1100 111"]],
    [7, ["1110 1100 100", "1110 1100 110", "0110 1100 111"]],
    [4, ["0010 1100 100", "0000 1100 110", "0000 0100 111"]],
    [3, ["0000 1100 100", "0000 0100 110", "0000 0000 111"]],
    [2, ["0000 0100 100", "0000 0000 110", "0000 0000 011"]],
    [1, ["0000 0000 100", "0000 0000 010", "0000 0000 001"]],
  ])("with a window of %s tokens", (window, expected) => {
    const rows = expected.map((row) => row.replaceAll(" ", ""));
    expect(seen(wholeMask(spans, 1, window), 11)).toEqual(rows);
  });

  it("repeats itself for every query head of a group", () => {
    const once = seen(wholeMask(spans, 1, 4), 11);
    expect(seen(wholeMask(spans, 2, 4), 11)).toEqual([...once, ...once]);
  });
});

describe("the masks of single spans", () => {
  it("hide what the whole mask hides there", () => {
    expect(seen(capacityMask([2, 0, 4], 4), 4)).toEqual(["1100", "0000", "1111"]);
    expect(seen(newTokenMask(3, 2), 3)).toEqual(["100", "110", "111", "100", "110", "111"]);
  });

  it("hide by finite numbers, since a row of infinities would become NaN", () => {
    expect(newTokenMask(2, 1).every(Number.isFinite)).toBe(true);
  });
});
