import fc from "fast-check";
import { expect, test } from "vitest";
import { normalizeAnswer } from "./normalize-answer.ts";

test.each([
  ["The Eiffel-Tower!", "eiffeltower"],
  ["  a  cat,\n an owl ", "cat owl"],
  ["Paris.", "paris"],
  ["**Paris**", "paris"],
  ["-5", "-5"],
  ["−5", "-5"],
  ["1/2", "1/2"],
  ["$1,234.50", "1234.50"],
  ["3.", "3"],
  [".5", ".5"],
  ["2:30", "2:30"],
  ["2x - 5", "2x - 5"],
  ["**5**", "5"],
  ["10 (ten)", "10 ten"],
  ["A.", "a"],
  ["?!", "?!"],
  ["", ""],
])("%j is %j", (text, normal) => {
  expect(normalizeAnswer(text)).toBe(normal);
});

test("different numbers stay different", () => {
  const distinct = ["5", "-5", "0.5", "5/2", "52", "2-5", "25", "2+5", "2*5", "5%2"];
  expect(new Set(distinct.map(normalizeAnswer)).size).toBe(distinct.length - 1); // a percent sign is dropped: 52
});

test("never blank unless the text is", () => {
  fc.assert(
    fc.property(fc.string(), (text) => (normalizeAnswer(text) === "") === (text.trim() === "")),
    { seed: 1 },
  );
});
