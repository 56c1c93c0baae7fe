import { expect, it } from "vitest";
import { parseArguments } from "./builtins.ts";

it.each([
  [["--k", "20", "--quick"], { k: 20, quick: true, _: [] }],
  [["--name=a b", "--x=-1.5", "file"], { name: "a b", x: -1.5, _: ["file"] }],
  [["--low", "-3", "--empty="], { low: -3, empty: "", _: [] }],
  [["--quick", "--k", "2"], { quick: true, k: 2, _: [] }],
  [[], { _: [] }],
])("%j", (words, expected) => {
  expect(parseArguments(words)).toEqual(expected);
});
