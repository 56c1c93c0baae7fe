import { expect, test } from "vitest";
import { splitSentences } from "./split-sentences.ts";

test("sentences, and numbers and blank texts that are none", () => {
  expect(splitSentences("It is 3.14. Or so!\nWhy?  ")).toEqual(["It is 3.14.", "Or so!", "Why?"]);
  expect(splitSentences("\\frac{1}{2}")).toEqual(["\\frac{1}{2}"]);
  expect(splitSentences(" \n ")).toEqual([]);
});
