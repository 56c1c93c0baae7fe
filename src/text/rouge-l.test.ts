import fc from "fast-check";
import { expect, test } from "vitest";
import golden from "../../test/golden/rouge.json" with { type: "json" };
import { porterStem } from "./porter-stem.ts";
import { rougeL, rougeTokens } from "./rouge-l.ts";

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

/** The table itself, cell by cell. */
function plainRougeL(a: readonly string[], b: readonly string[]): number {
  let above = b.map(() => 0);
  for (const token of a) {
    const row: number[] = [];
    for (const [j, other] of b.entries())
      row.push(token === other ? (above[j - 1] ?? 0) + 1 : Math.max(above[j]!, row[j - 1] ?? 0));
    above = row;
  }
  return a.length === 0 || b.length === 0 ? 0 : (2 * (above.at(-1) ?? 0)) / (a.length + b.length);
}

test("bits of a row give what its cells give, whatever the lengths and however often words repeat", () => {
  // 31 to 97 words: rows that end within and at the end of 32 bits
  const tokens = (kinds: number) =>
    fc.array(
      fc.nat(kinds).map((n) => `w${n}`),
      { maxLength: 97, size: "max" },
    );
  for (const kinds of [0, 1, 3, 40])
    fc.assert(
      fc.property(tokens(kinds), tokens(kinds), (a, b) => {
        expect(rougeL(a, b)).toBe(plainRougeL(a, b));
      }),
      { numRuns: 300, seed: 1 },
    );
});

test("carries go through rows of many words", () => {
  const same = Array.from({ length: 10_000 }, () => "a");
  expect(rougeL(same, same)).toBe(1);
  expect(rougeL(same, ["b", ...same])).toBe(20_000 / 20_001);
});
