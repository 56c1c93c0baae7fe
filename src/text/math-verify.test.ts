import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { mathEquivalent } from "./math-equivalent.ts";

interface Pair {
  readonly category: string;
  readonly a: string;
  readonly b: string;
  /** Our own judgement, or sympy's for random pairs. */
  readonly equal: boolean;
  /** math_verify with the first answer as the reference, then with the second; null if it reads nothing. */
  readonly math_verify: readonly [boolean, boolean] | null;
}

const golden = (name: string): string =>
  readFileSync(new URL(`../../test/golden/${name}`, import.meta.url), "utf8");
const PAIRS: readonly Pair[] = golden("math-equivalence.jsonl")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line));
const LISTED: readonly (Pick<Pair, "a" | "b" | "equal" | "math_verify"> & { readonly why: string })[] =
  JSON.parse(golden("math-equivalence-disagreements.json"));

describe("against Python math_verify", () => {
  it("has pairs of every sort, equal and not", () => {
    const judged = PAIRS.filter(({ math_verify }) => math_verify !== null);
    expect(judged.length).toBeGreaterThanOrEqual(1000);
    expect(new Set(PAIRS.map(({ category }) => category)).size).toBeGreaterThan(30);
    for (const equal of [true, false])
      expect(judged.filter((pair) => pair.equal === equal).length).toBeGreaterThan(400);
  });

  it.each([...new Set(PAIRS.map(({ category }) => category))])(
    "judges %s rightly in both orders",
    (category) => {
      const wrong = PAIRS.filter(
        (pair) =>
          pair.category === category &&
          [mathEquivalent(pair.a, pair.b), mathEquivalent(pair.b, pair.a)].some(
            (verdict) => verdict !== pair.equal,
          ),
      );
      expect(wrong).toEqual([]);
    },
  );

  it("agrees in 98% of the pairs, and disagrees in the listed ones only, in either order", () => {
    const judged = PAIRS.filter(({ math_verify }) => math_verify !== null);
    const disagreements = judged.filter(({ a, b, math_verify }) =>
      math_verify?.some((verdict) => verdict !== mathEquivalent(a, b)),
    );
    expect(disagreements.length / judged.length).toBeLessThanOrEqual(0.02);
    expect(disagreements.map(({ a, b, equal, math_verify }) => ({ a, b, equal, math_verify }))).toEqual(
      LISTED.map(({ a, b, equal, math_verify }) => ({ a, b, equal, math_verify })),
    );
    for (const { why } of LISTED) expect(why.length).toBeGreaterThan(20);
  });
});
