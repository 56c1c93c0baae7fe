import { expect, test } from "vitest";
import golden from "../../test/golden/rouge.json" with { type: "json" };
import { porterStem } from "./porter-stem.ts";
import { rougeL } from "./rouge-l.ts";
import { rougeTokens } from "./rouge-tokens.ts";

const score = (a: string, b: string): number => rougeL(rougeTokens(a), rougeTokens(b));

test("NLTK's stems of some 1400 words", () => {
  expect(golden.stems.length).toBeGreaterThan(1300);
  const wrong = golden.stems.filter(([word, stem]) => porterStem(word as string) !== stem);
  expect(wrong).toEqual([]);
});

test("rouge_score's ROUGE-L of English texts", () => {
  for (const [a, b, expected] of golden.pairs as [string, string, number][])
    expect(score(a, b), `${a} | ${b}`).toBeCloseTo(expected, 12);
});

test("other scripts have words too, unlike in rouge_score", () => {
  const [greek, theirs] = golden.greek as [string, number];
  expect([score(greek, greek), theirs]).toEqual([1, 0]);
  expect(rougeTokens("Η Αθήνα, 北京市 และ café")).toEqual([
    "η",
    "αθήνα",
    "北",
    "京",
    "市",
    "แ",
    "ล",
    "ะ",
    "café",
  ]);
  expect(score("北京", "北海")).toBe(0.5);
});

test("nothing shares anything with no words", () => {
  expect([score("", ""), score("?!", "42"), score("42", "-42")]).toEqual([0, 0, 1]);
});

test("words of thousands of letters take no time and no stack", () => {
  expect(porterStem(`${"y".repeat(20_000)}ness`)).toHaveLength(20_000);
});
