import { expect, it } from "vitest";
import { normalizeQuestion, questionWords } from "./segment-text.ts";

it.each([
  ["What is 17 + 25?", "  what is 17+25 "],
  ["Who wrote “Emma”?", 'who wrote "emma"'],
  ["The capital — of France, please.", "the capital of france please"],
  ["The capital -- of France--please", "the capital of france please"],
  ["ﬁnd Straße", "FIND STRASSE"],
  ["ΟΔΥΣΣΕΥΣ", "οδυσσευς"],
  ["cafe\u0301", "CAFÉ"],
  ["３×４", "3*4"],
  ["3 − 4", "3-4"],
  ["6 ÷ 2", "6/2"],
  ["x² + y²", "x^2 + y^2"],
  ["2½ cups", "2 1/2 cups"],
  ["don’t", "DON'T"],
  ["soft\u00adware", "software"],
  ["中国的首都是什么？", "中国 的 首都 是 什么"],
  ["well-known", "well known"],
])("%j is asked as %j", (one, other) => {
  expect(normalizeQuestion(one)).toBe(normalizeQuestion(other));
});

it("keeps apart what means something else", () => {
  const different = [
    [
      "3-4",
      "3+4",
      "3/4",
      "3.4",
      "3*4",
      "3%4",
      "3,4",
      "3:4",
      "3^4",
      "34",
      "3 4",
      "3 = 4",
      "3 < 4",
      "3 ≤ 4",
      "(3) 4",
    ],
    ["5", "-5", "5!", "5%", "$5", "€5", ".5", "√5", "5'"],
    ["f(x)", "f'(x)", "f(x)!", "|f|(x)"],
    ["x²", "x2", "x₂"],
    ["3½", "31/2"],
    ["x-y", "x y", "xy", "x--y"],
    ["(3 + 4) * 5", "3 + (4 * 5)"],
    ["北京", "京北", "北", "东京"],
    ["café", "cafe"],
  ];
  for (const texts of different)
    expect(new Set(texts.map(normalizeQuestion)).size, texts.join("  ")).toBe(texts.length);
});

it("leaves a text of punctuation alone its characters, and takes any text", () => {
  expect(questionWords("?!")).toEqual(["?", "!"]);
  expect(questionWords(" ")).toEqual([]);
  expect(questionWords("\ud800 lone")).toHaveLength(2);
});
