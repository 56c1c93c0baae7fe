import { expect, test } from "vitest";
import { ESTIMATE_CASES, makeSamples } from "../../../test/fakes/make-samples.ts";
import { mapPairs } from "../question-samples.ts";
import { chooseEstimates, createEstimateMeter, ESTIMATES } from "./estimate-registry.ts";

const [each] = ESTIMATE_CASES.filter(({ texts }) => new Set(texts).size > 3);

/** A clock that goes on by a millisecond at each look. */
function tickingClock(): () => number {
  let nowMs = 0;
  return () => nowMs++;
}

test("names are unique, and say what they are in every column", () => {
  expect(new Set(ESTIMATES.map(({ name }) => name)).size).toBe(ESTIMATES.length);
  for (const { name, title, formula, range, source, checkedAgainst } of ESTIMATES) {
    expect(name).toMatch(/^[a-z]+(_[a-z]+)*$/);
    for (const words of [title, formula, range, source, checkedAgainst]) expect(words).not.toBe("");
  }
});

test("what is chosen: all, the usual ones, or names beside those that later steps need", () => {
  expect(chooseEstimates("all")).toBe(ESTIMATES);
  expect(chooseEstimates("default").map(({ name }) => name)).toEqual([
    "discrete_semantic_entropy",
    "semantic_entropy",
    "sum_logprob_semantic_entropy",
    "cluster_count",
    "regular_entropy",
    "mean_token_entropy",
  ]);
  expect(chooseEstimates(["luq"]).map(({ name }) => name)).toEqual([
    "discrete_semantic_entropy",
    "semantic_entropy",
    "luq",
  ]);
  const usual = chooseEstimates("default");
  expect(chooseEstimates(["p_false", "default"])).toEqual([
    ...usual,
    ESTIMATES.find(({ name }) => name === "p_false"),
  ]);
  expect(() => chooseEstimates(["luq", "lucky"])).toThrow(
    /Got the unknown uncertainty measure lucky, expected some of discrete_/,
  );
});

test("with everything known every estimate is a number within its range", () => {
  const meter = createEstimateMeter(ESTIMATES, "nature", tickingClock());
  for (const one of ESTIMATE_CASES) {
    const best = { text: "Confidence: 70%", tokenLogprobs: [-1], tokenEntropies: [1], isCorrect: true };
    const spans = one.token_entropies.map(() => null);
    const known = makeSamples(one, { logPTrue: -1, thinkSpans: spans });
    const values = meter.measure({ ...known, best: { ...best, text: one.texts[one.best]! } });
    const lacking = Object.entries(values).filter(([, value]) => value === null);
    expect(lacking.map(([name]) => name)).toEqual(["mean_think_token_entropy", "verbalised_doubt"]);
    expect(meter.measure({ ...known, best }).verbalised_doubt).toBeCloseTo(0.3, 14);
    for (const { name, range } of ESTIMATES.filter(({ range }) => range.startsWith("0 to 1")))
      expect(values[name] ?? 0, `${name} in ${range}`).toBeGreaterThanOrEqual(-1e-12); // rounding
  }
});

test("what is missing is null, counted and named; the rest is computed", () => {
  const meter = createEstimateMeter(ESTIMATES, "nature", tickingClock());
  const bare = makeSamples(each!, {
    tokenLogprobs: null,
    sumLogprobs: null,
    tokenCounts: null,
    tokenEntropies: null,
    hiddenStates: null,
    best: null,
    entailment: null,
    similarity: null,
  });
  const values = meter.measure(bare);
  meter.measure(bare);
  expect(Object.keys(values)).toEqual(ESTIMATES.map(({ name }) => name));
  const there = Object.entries(values).flatMap(([name, value]) => (value === null ? [] : [name]));
  expect(there).toEqual([
    "discrete_semantic_entropy",
    "cluster_count",
    "minority_share",
    "lexical_similarity",
    "degree_matrix_jaccard",
    "eigv_jaccard",
    "eccentricity_jaccard",
  ]);
  const costOf = (name: string) => meter.costs().find((cost) => cost.name === name);
  expect(costOf("semantic_entropy")).toEqual({
    name: "semantic_entropy",
    computed: 0,
    missing: { mean_logprobs: 2 },
    durationMs: 2,
    nliPairs: 0,
  });
  expect(costOf("exact_match_inconsistency")?.missing).toEqual({ main_answer: 2 });
  const different = new Set(each!.texts).size;
  expect(costOf("luq")).toMatchObject({
    missing: { entailment: 2 },
    nliPairs: 2 * different * (different - 1),
  });
  expect(costOf("lexical_similarity")).toMatchObject({ computed: 2, missing: {}, nliPairs: 0 });
});

test("an infinite number is null too, and said to be", () => {
  const [K] = [each!.texts.length];
  const meter = createEstimateMeter(chooseEstimates(["regular_entropy_sum"]), "nature", tickingClock());
  const values = meter.measure(
    makeSamples(each!, { sumLogprobs: Array.from({ length: K }, (_, i) => (i === 0 ? -Infinity : -1)) }),
  );
  expect(values.regular_entropy_sum).toBeNull();
  expect(meter.costs().at(-1)?.missing).toEqual({ finite: 1 });
});

test("verdicts that deny a sample to itself make no graph: null, not an error", () => {
  const meter = createEstimateMeter(
    chooseEstimates(["eigv_entail", "eigv_contra"]),
    "nature",
    tickingClock(),
  );
  const none = mapPairs(each!.texts.length, () => ({ entailment: 0, neutral: 1, contradiction: 0 }));
  const values = meter.measure(makeSamples(each!, { entailment: none }));
  expect([values.eigv_entail, values.eigv_contra]).toEqual([null, expect.closeTo(1, 12)]);
  expect(meter.costs().find(({ name }) => name === "eigv_entail")?.missing).toEqual({ finite: 1 });
});

test("the main answer: what the best answer says, else the likeliest sample; SelfCheck takes it apart", () => {
  const measure = (changes: Parameters<typeof makeSamples>[1]): Record<string, number | null> =>
    createEstimateMeter(ESTIMATES, "nature", tickingClock()).measure(makeSamples(each!, changes));
  const entailment = mapPairs(each!.texts.length, (i) => ({
    entailment: i === 2 ? 0 : 1,
    neutral: 0,
    contradiction: i === 2 ? 1 : 0,
  }));
  const elsewhere = { text: "none of them", tokenLogprobs: null, tokenEntropies: null, isCorrect: null };
  expect(measure({ entailment, best: elsewhere }).selfcheck_nli).toBeNull();
  const likeliest = each!.texts.map((_, i) => (i === 2 ? -1 : -2));
  expect(measure({ entailment, best: null, sumLogprobs: likeliest }).selfcheck_nli).toBe(1);
  const long = each!.texts.map((text, i) => (i === 2 ? "It is so. It is not." : text));
  const texts = { texts: long, answers: long, best: null, sumLogprobs: likeliest, entailment };
  expect(measure(texts).selfcheck_nli).toBeNull();
  const verdict = (contradiction: number) => ({ entailment: 1 - contradiction, neutral: 0, contradiction });
  const sentenceVerdicts = [
    [verdict(1), verdict(0)],
    [verdict(0), verdict(0)],
  ];
  expect(measure({ ...texts, sentenceVerdicts }).selfcheck_nli).toBe(0.25);
});

test("entropies of the reasoning and of what follows, its closing tag left out", () => {
  const names = ["mean_token_entropy", "mean_think_token_entropy", "mean_answer_token_entropy"];
  const measure = (thinkSpans: readonly (readonly [number, number] | null)[]): (number | null)[] => {
    const tokenEntropies = thinkSpans.map(() => [1, 3, 8, 4]);
    const values = createEstimateMeter(chooseEstimates(names), "nature", tickingClock()).measure(
      makeSamples(ESTIMATE_CASES[0]!, { tokenEntropies, thinkSpans }),
    );
    return names.map((name) => values[name]!);
  };
  expect(
    measure([
      [0, 2],
      [0, 2],
    ]),
  ).toEqual([4, 2, 4]);
  expect(measure([null, null])).toEqual([4, null, 4]);
  expect(
    measure([
      [0, 2],
      [1, 4],
    ]),
  ).toEqual([4, 3.5, null]); // the second was cut off
});
