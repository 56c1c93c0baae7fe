import { describe, expect, it } from "vitest";
import { layOutFork } from "./fork-tree.ts";

const sample = (text: string, meaning: number) => ({ tokens: [...text], answer: String(meaning), meaning });

describe("layOutFork", () => {
  it("parts where continuations differ, and puts those of a meaning together", () => {
    const samples = [sample("abx.", 0), sample("acy.", 1), sample("abx.", 0), sample("abz.", 0)];
    const { branches, meanings, depth } = layOutFork({ samples, probabilities: [0.8, 0.2] });
    expect(depth).toBe(4);
    expect(meanings.map(({ answer, members }) => [answer, members])).toEqual([
      ["0", [0, 2, 3]],
      ["1", [1]],
    ]);
    expect(branches.map(({ text, count, meaning }) => [text, count, meaning])).toEqual([
      ["a", 4, null],
      ["b", 3, 0],
      ["x.", 2, 0],
      ["z.", 1, 0],
      ["cy.", 1, 1],
    ]);
    // row 0 is the one that was drawn twice, 1 is "abz.", 2 is the other meaning
    expect(branches.map(({ fromRow, toRow }) => [fromRow, toRow])).toEqual([
      [1, 1],
      [1, 0.5],
      [0.5, 0],
      [0.5, 1],
      [1, 2],
    ]);
    expect(meanings.map(({ firstRow, lastRow }) => [firstRow, lastRow])).toEqual([
      [0, 1],
      [2, 2],
    ]);
  });

  it("takes continuations that end where others go on, and none at all", () => {
    const samples = [sample("a", 0), sample("ab", 0)];
    expect(layOutFork({ samples, probabilities: [1] }).branches.map(({ text }) => text)).toEqual(["a", "b"]);
    expect(layOutFork({ samples: [sample("", 0)], probabilities: [1] })).toMatchObject({
      branches: [],
      depth: 0,
    });
  });

  it("ranks meanings by their samples, and those of as many side by side that begin alike", () => {
    const samples = [sample("b", 0), sample("c", 2), sample("d", 2), sample("a", 1)];
    const { meanings } = layOutFork({ samples, probabilities: [0.5, 0.2, 0.3] });
    expect(meanings.map(({ answer }) => answer)).toEqual(["2", "1", "0"]);
  });
});
