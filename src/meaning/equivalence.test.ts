import { describe, expect, test } from "vitest";
import { createTableEntailer } from "../../test/fakes/table-entailer.ts";
import { createCosineEquivalence, type TextEmbedder } from "./cosine-equivalence.ts";
import type { AnswerPair } from "./equivalence.ts";
import { createHybridEquivalence, createMathEquivalence, decideWithoutModel } from "./hybrid-equivalence.ts";
import { createNliEquivalence, type EntailmentRule } from "./nli-equivalence.ts";

const pair = (first: string, second: string): AnswerPair => ({ question: "?", first, second });

describe("nli", () => {
  const E = [0.9, 0.06, 0.04] as const;
  const N = [0.2, 0.7, 0.1] as const;
  const C = [0.1, 0.1, 0.8] as const;
  const weakly = [0.5, 0.3, 0.2] as const;
  const surely = [0.65, 0.01, 0.34] as const;

  const same = async (
    forward: readonly [number, number, number],
    backward: readonly [number, number, number],
    rule: EntailmentRule,
    threshold?: number,
  ): Promise<boolean | undefined> => {
    const entailer = createTableEntailer({ "a > b": forward, "b > a": backward });
    const [verdict] = await createNliEquivalence(entailer, { rule, threshold }).compare([pair("a", "b")]);
    return verdict?.same;
  };

  test.each([
    // strict: the likeliest label of both is entailment
    ["strict", E, E, true],
    ["strict", weakly, weakly, true],
    ["strict", E, N, false],
    ["strict", E, C, false],
    // lenient: no contradiction, and not neutral both ways
    ["lenient", E, E, true],
    ["lenient", E, N, true],
    ["lenient", N, E, true],
    ["lenient", N, N, false],
    ["lenient", E, C, false],
    // threshold: 0.6 both ways, whatever is likeliest
    ["threshold", surely, E, true],
    ["threshold", weakly, E, false],
    ["threshold", E, weakly, false],
  ] as const)("%s %j %j: %s", async (rule, forward, backward, expected) => {
    expect(await same(forward, backward, rule)).toBe(expected);
  });

  test("the threshold can be moved, and is met by what equals it", async () => {
    expect(await same(weakly, weakly, "threshold", 0.5)).toBe(true);
    expect(await same(weakly, weakly, "threshold", 0.51)).toBe(false);
  });

  test("of equal probabilities the cautious label counts", async () => {
    expect(await same([0.5, 0.5, 0], [0.5, 0.5, 0], "strict")).toBe(false);
    expect(await same([0.4, 0.2, 0.4], E, "lenient")).toBe(false);
  });

  test("question and answer are one statement, each way, all pairs in one call; the verdict has both", async () => {
    const entailer = createTableEntailer({ "a > b": E, "b > a": N });
    const relation = createNliEquivalence(entailer);
    const other = { question: "Where?", first: "here", second: "there" };
    expect((await relation.compare([pair("a", "b"), other]))[0]).toEqual({
      same: false,
      rule: "nli",
      forward: { entailment: 0.9, neutral: 0.06, contradiction: 0.04, truncated: false },
      backward: { entailment: 0.2, neutral: 0.7, contradiction: 0.1, truncated: false },
    });
    expect(entailer.calls).toEqual([
      [
        ["? a", "? b"],
        ["? b", "? a"],
        ["Where? here", "Where? there"],
        ["Where? there", "Where? here"],
      ],
    ]);
  });

  test("the provenance has the rule, and the threshold only where it counts", () => {
    const entailer = createTableEntailer({});
    expect(createNliEquivalence(entailer).provenance).toMatchObject({ rule: "strict", threshold: null });
    expect(createNliEquivalence(entailer, { rule: "threshold" }).provenance).toMatchObject({
      threshold: 0.6,
    });
  });

  test("lenient is refused where the model knows no contradiction", () => {
    const entailer = createTableEntailer({}, { tellsContradiction: false });
    expect(() => createNliEquivalence(entailer, { rule: "lenient" })).toThrow(
      expect.objectContaining({ code: "bad-option" }),
    );
    expect(createNliEquivalence(entailer, { rule: "strict" }).name).toBe("nli");
  });
});

test("cosine: the answers alone, each embedded once, against its own threshold", async () => {
  const asked: (readonly string[])[] = [];
  const angles: Readonly<Record<string, number>> = { a: 0, b: 0.5, c: 1.2 };
  const embedder: TextEmbedder = {
    name: "fake",
    provenance: "fake",
    async embed(texts) {
      asked.push(texts);
      return texts.map((text) => ({
        vector: Float32Array.of(Math.cos(angles[text]!), Math.sin(angles[text]!)),
        truncated: text === "c",
      }));
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const relation = createCosineEquivalence(embedder, { threshold: 0.8 });
  // float32 coordinates
  expect(await relation.compare([pair("a", "b"), pair("a", "c"), pair("b", "c")])).toEqual([
    { same: true, rule: "cosine", similarity: expect.closeTo(Math.cos(0.5), 6), truncated: false },
    { same: false, rule: "cosine", similarity: expect.closeTo(Math.cos(1.2), 6), truncated: true },
    { same: false, rule: "cosine", similarity: expect.closeTo(Math.cos(0.7), 6), truncated: true },
  ]);
  expect(asked).toEqual([["a", "b", "c"]]);
});

test("math: which of the two rules of the relation decided", async () => {
  const verdicts = await createMathEquivalence().compare([
    pair("1/2", "0.5"),
    pair("3", "4"),
    pair("blue", "Blue "),
    pair("blue", "4"),
  ]);
  expect(verdicts).toEqual([
    { same: true, rule: "math" },
    { same: false, rule: "math" },
    { same: true, rule: "exact" },
    { same: false, rule: "exact" },
  ]);
});

describe("hybrid", () => {
  test("the first rule that can decide a pair does, and the rest is one batch", async () => {
    const entailer = createTableEntailer({
      "Paris > It is Paris": "entailment",
      "It is Paris > Paris": "entailment",
    });
    const relation = createHybridEquivalence(createNliEquivalence(entailer));
    const verdicts = await relation.compare([
      pair("Paris", "paris."),
      pair("Paris", "It is Paris"),
      pair("1/2", "0.5"),
      pair("1969", "1970"),
      pair("5", "five"),
    ]);
    expect(verdicts.map(({ same, rule }) => `${rule} ${same}`)).toEqual([
      "exact true",
      "nli true",
      "math true",
      "math false",
      "nli false",
    ]);
    expect(entailer.calls.map((call) => call.length)).toEqual([4]);
    expect(relation.provenance).toMatchObject({ name: "hybrid", undecided: { name: "nli" } });
  });

  test("the model is not asked when nothing is left for it", async () => {
    const entailer = createTableEntailer({});
    await createHybridEquivalence(createNliEquivalence(entailer)).compare([pair("7", "8"), pair("A", "a")]);
    expect(entailer.calls).toEqual([]);
    expect(decideWithoutModel(pair("seven", "8"))).toBeNull();
    const alone = createHybridEquivalence(null);
    expect(await alone.compare([pair("7", "8")])).toEqual([{ same: false, rule: "math" }]);
    await expect(alone.compare([pair("seven", "8")])).rejects.toThrow(RangeError);
  });
});
