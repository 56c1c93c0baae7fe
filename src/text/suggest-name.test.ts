import { expect, it } from "vitest";
import { suggestName } from "./suggest-name.ts";

const NAMES = ["run", "generate", "entropy", "eval", "temperature", "top-p", "top-k"];

it.each([
  ["genrate", "generate"],
  ["temprature", "temperature"],
  ["temperatuer", "temperature"],
  ["rnu", "run"],
  ["top-p", "top-p"],
  ["top-q", "top-p"],
  ["GENERATE", "generate"],
  ["evaluate", "eval"],
  ["temp", "temperature"],
])("takes %s for %s", (typed, name) => {
  expect(suggestName(typed, NAMES)).toBe(name);
});

it.each([["frobnicate"], ["x"], ["ge"], [""]])("does not guess at %s", (typed) => {
  expect(suggestName(typed, NAMES)).toBeNull();
});

it("has nothing to suggest from nothing", () => {
  expect(suggestName("run", [])).toBeNull();
});
