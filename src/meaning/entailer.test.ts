import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createFakeClassifier, entailmentOf } from "../../test/fakes/fake-classifier.ts";
import { createNliEntailer, DEFAULT_NLI_MODEL, resolveNliModel } from "../study/meaning/encoder-models.ts";
import { createClassifierEntailer, type NliLabel } from "./entailer.ts";

/** Logits 3 for the right label and 0 for the others. */
const classifierWith = (names: readonly string[], meanings: readonly NliLabel[] = names as NliLabel[]) =>
  createFakeClassifier(names, (premise, hypothesis) => {
    const truth = entailmentOf(premise, hypothesis);
    const label = meanings.includes(truth) ? truth : "not-entailment";
    return meanings.map((meaning) => (meaning === label ? 3 : 0));
  });

const PAIRS = [
  ["the cat sat on the mat", "the cat sat"],
  ["the cat sat", "the cat sat on the mat"],
  ["the shop is closed", "it is open"],
] as const;

describe("labels", () => {
  it.each([
    [["contradiction", "entailment", "neutral"]],
    [["CONTRADICTION", "NEUTRAL", "ENTAILMENT"]],
    [["Entailment", " neutral", "contradiction"]],
  ])("%j are read by their names", async (names) => {
    const meanings = names.map((name) => name.trim().toLowerCase()) as NliLabel[];
    await using entailer = await createClassifierEntailer(classifierWith(names, meanings));
    const verdicts = await entailer.classify(PAIRS);
    const high = Math.exp(3) / (Math.exp(3) + 2);
    expect(verdicts[0]?.entailment).toBeCloseTo(high, 12);
    expect(verdicts[1]?.neutral).toBeCloseTo(high, 12);
    expect(verdicts[2]?.contradiction).toBeCloseTo(high, 12);
    for (const { entailment, neutral, contradiction } of verdicts)
      expect(entailment + neutral + contradiction).toBeCloseTo(1, 12);
    expect(entailer.tellsContradiction).toBe(true);
  });

  it.each(["not_entailment", "NOT ENTAILMENT", "non-entailment"])(
    "entailment and %s leave no contradiction",
    async (name) => {
      const classifier = classifierWith([name, "entailment"], ["not-entailment", "entailment"]);
      await using entailer = await createClassifierEntailer(classifier);
      const [, , denied] = await entailer.classify(PAIRS);
      expect(entailer.tellsContradiction).toBe(false);
      expect(denied?.contradiction).toBe(0);
      expect(denied?.neutral).toBeCloseTo(Math.exp(3) / (Math.exp(3) + 1), 12);
    },
  );

  it("without names are refused, unless they are told", async () => {
    const names = ["LABEL_0", "LABEL_1", "LABEL_2"];
    const labels = ["neutral", "entailment", "contradiction"] as const;
    await expect(createClassifierEntailer(classifierWith(names, labels))).rejects.toMatchObject({
      code: "bad-nli-model",
      message: expect.stringContaining("LABEL_0, LABEL_1, LABEL_2") as string,
    });
    await using entailer = await createClassifierEntailer(classifierWith(names, labels), { labels });
    expect((await entailer.classify(PAIRS))[0]?.entailment).toBeGreaterThan(0.8);
  });

  it.each([
    [["positive", "negative"], undefined, /labels positive, negative.*Is it an NLI model/],
    [["entailment", "neutral"], undefined, /labels entailment, neutral/],
    [["entailment", "entailment", "neutral"], undefined, /entailment, entailment/],
    [["LABEL_0", "LABEL_1", "LABEL_2"], ["entailment", "not-entailment"], /3 logits, and `labels` names 2/],
  ] as const)("%j told as %j are refused", async (names, labels, message) => {
    const classifier = createFakeClassifier(names, () => names.map(() => 0));
    await expect(createClassifierEntailer(classifier, { labels })).rejects.toMatchObject({
      code: "bad-nli-model",
      message: expect.stringMatching(message) as string,
    });
  });
});

describe("the self-test", () => {
  it("refuses labels in a wrong order, with the numbers", async () => {
    const classifier = classifierWith(
      ["contradiction", "entailment", "neutral"],
      ["entailment", "neutral", "contradiction"],
    );
    await expect(createClassifierEntailer(classifier)).rejects.toMatchObject({
      code: "bad-nli-model",
      message: expect.stringMatching(
        /fails its self-test.*contradiction 0\.909.*expected entailment/,
      ) as string,
    });
  });

  it("refuses premise and hypothesis taken for each other", async () => {
    const names = ["contradiction", "entailment", "neutral"] as const;
    const classifier = createFakeClassifier(names, (premise, hypothesis) =>
      names.map((name) => (name === entailmentOf(hypothesis, premise) ? 3 : 0)),
    );
    await expect(createClassifierEntailer(classifier)).rejects.toMatchObject({ code: "bad-nli-model" });
  });

  it("refuses a model with random weights, and a pair that is only half sure", async () => {
    const folder = fileURLToPath(new URL("../../test/golden/nli/deberta", import.meta.url));
    await expect(createNliEntailer(folder)).rejects.toMatchObject({ code: "bad-nli-model" });
    const unsure = createFakeClassifier(["contradiction", "entailment", "neutral"], () => [0, 0.1, 0]);
    await expect(createClassifierEntailer(unsure)).rejects.toMatchObject({ code: "bad-nli-model" });
    await using entailer = await createClassifierEntailer(unsure, { selfTest: false });
    expect((await entailer.classify([["a", "b"]]))[0]?.entailment).toBeCloseTo(0.356, 3);
    expect(unsure.asked).toHaveLength(2 + 1);
  });
});

it("is the same under another name, and another with other weights or labels", async () => {
  const names = ["contradiction", "entailment", "neutral"];
  const base = classifierWith(names);
  const { fingerprint, provenance, name } = await createClassifierEntailer(base);
  expect(name).toBe("fake/nli");
  expect(provenance).toMatchObject({ id: "fake/nli", labels: names, max_tokens: 512 });
  const print = async (fields: object): Promise<string> =>
    (await createClassifierEntailer({ ...base, provenance: { ...base.provenance, ...fields } })).fingerprint;
  expect(await print({ id: "other", revision: "abc" })).toBe(fingerprint);
  for (const other of [
    { weights_sha256: "x" },
    { tokenizer_sha256: "x" },
    { dtype: "int8" },
    { max_tokens: 8 },
  ])
    expect(await print(other)).not.toBe(fingerprint);
  const reordered = classifierWith(["entailment", "neutral", "contradiction"]);
  expect((await createClassifierEntailer(reordered)).fingerprint).not.toBe(fingerprint);
});

it("knows the short name of the default model", () => {
  expect(resolveNliModel("deberta-v3-small-mnli")).toBe(DEFAULT_NLI_MODEL);
  expect(resolveNliModel("org/other@v1")).toBe("org/other@v1");
});
