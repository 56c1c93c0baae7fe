import { describe, expect, it } from "vitest";
import { attentionMask, fillingFor } from "./attention-masks.ts";

describe("attentionMask", () => {
  // 3 prefix tokens in a capacity of 4, 3 new ones, 2 suffix tokens in a capacity of 4: positions 0-2, 5-7, 3-4
  const own = { prefixLength: 3, prefixCapacity: 4, suffixLength: 2, suffixCapacity: 4, tokens: 3 };
  const spans = { ...own, commonLength: 0, commonCapacity: 0 };
  const gap = 60;
  const width = spans.prefixCapacity + gap + 64;

  /** 1 where a token may look, row after row: prefix, new tokens, suffix. */
  const seen = (mask: Float32Array): string[] =>
    Array.from({ length: mask.length / width }, (_, row) => {
      const all = [...mask.subarray(row * width, (row + 1) * width)].map((value) => (value === 0 ? 1 : 0));
      expect(all.splice(4, gap)).toEqual(new Array(gap).fill(0));
      expect(all.slice(11)).toEqual(new Array(57).fill(0));
      return [all.slice(0, 4), all.slice(4, 7), all.slice(7, 11)].map((span) => span.join("")).join(" ");
    });

  it.each([
    [null, ["1110 100 1100", "1110 110 1100", "1110 111 1100"]],
    [8, ["1110 100 1100", "1110 110 1100", "1110 111 1100"]],
    [7, ["1110 100 1100", "1110 110 1100", "0110 111 1100"]],
    [4, ["0010 100 1100", "0000 110 1100", "0000 111 0100"]],
    [3, ["0000 100 1100", "0000 110 0100", "0000 111 0000"]],
    [2, ["0000 100 0100", "0000 110 0000", "0000 011 0000"]],
    [1, ["0000 100 0000", "0000 010 0000", "0000 001 0000"]],
  ])("with a window of %s tokens", (window, expected) => {
    expect(seen(attentionMask(spans, window))).toEqual(expected);
  });

  it("puts what is common before everything else", () => {
    const common = { ...spans, commonLength: 2, commonCapacity: 3 };
    for (const window of [null, 9, 5, 2]) {
      const without = attentionMask(spans, window);
      const mask = attentionMask(common, window);
      for (let token = 0; token < spans.tokens; token++) {
        const row = mask.subarray(token * (width + 3), (token + 1) * (width + 3));
        expect(row.subarray(3)).toEqual(without.subarray(token * width, (token + 1) * width));
        // at position 7 + token now, after two that it sees as far as the window reaches
        const sees = [0, 1].map((at) => window === null || 7 + token - at < window);
        expect([...row.subarray(0, 3)].map((value) => value === 0)).toEqual([...sees, false]);
      }
    }
  });

  it("hides by finite numbers, since a row of infinities would become NaN", () => {
    expect(attentionMask(spans, null).every(Number.isFinite)).toBe(true);
  });
});

it("fills up to whole vectors behind the prefix, and behind new tokens and suffix with at least one position", () => {
  const fill = (prefixCapacity: number, tokens: number, suffixCapacity: number) =>
    fillingFor({ prefixCapacity, tokens, suffixCapacity });
  expect([0, 16, 48, 64, 80].map((capacity) => fill(capacity, 1, 0).gap)).toEqual([0, 48, 16, 0, 48]);
  const padding = (tokens: number, suffixCapacity: number): number => fill(0, tokens, suffixCapacity).padding;
  expect([padding(1, 0), padding(1, 16), padding(1, 48), padding(1, 64), padding(64, 0)]).toEqual([
    63, 47, 15, 63, 64,
  ]);
});
