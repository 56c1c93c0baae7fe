import { expect, test } from "vitest";
import { ESTIMATE_CASES, makeSamples } from "../../../test/fakes/make-samples.ts";
import polygraph from "../../../test/golden/estimates-polygraph.json" with { type: "json" };
import published from "../../../test/golden/estimates-published.json" with { type: "json" };
import uqlm from "../../../test/golden/estimates-uqlm.json" with { type: "json" };
import { cosineAffinity } from "../graph-measures.ts";
import {
  answerInconsistency,
  cosineAgreement,
  selfCheckNli,
  semanticDensity,
  sentenceSar,
} from "../pair-measures.ts";
import { type EntailmentMatrix, mapPairs } from "../question-samples.ts";
import { clusterByVerdicts, SE_MODE_NAMES, SE_MODES } from "../se-mode.ts";
import { known } from "./estimate.ts";
import { ESTIMATES } from "./estimate-registry.ts";

/**
 * Of float64 sums in another order, and of eigenvalues whose differences are amplified by logarithms. References
 * round their output to 12 decimals.
 */
const CLOSE = 1e-9;

const expectClose = (got: number, expected: number, name: string): void =>
  expect(Math.abs(got - expected), `${name}: ${got} against ${expected}`).toBeLessThanOrEqual(
    CLOSE * Math.max(1, Math.abs(expected)),
  );

function compute(name: string, at: number, changes = {}): number {
  const estimate = ESTIMATES.find((each) => each.name === name);
  if (estimate === undefined) throw new Error(`no estimate ${name}`);
  return estimate.compute(makeSamples(ESTIMATE_CASES[at]!, changes), "nature");
}

/** @param probs [K][K] of contradiction, neutral, entailment */
const toMatrix = (probs: readonly (readonly (readonly number[])[])[]): EntailmentMatrix =>
  mapPairs(probs.length, (i, j) => {
    const [contradiction, neutral, entailment] = probs[i]![j]! as [number, number, number];
    return { entailment, neutral, contradiction };
  });

const cases = ESTIMATE_CASES.map((each, at) => [at, each.texts.length, each] as const);

test.each(cases)("lm-polygraph, case %d of %d samples", (at, _k, each) => {
  const { semantic_density, direct_discrete_semantic_entropy, sentence_sar, verbalised_doubt, ...same } =
    polygraph.cases[at]!;
  for (const [name, expected] of Object.entries(same)) expectClose(compute(name, at), expected, name);

  const said = { text: `x Confidence: 0.${each.best + 1}`, tokenLogprobs: null, tokenEntropies: null };
  expectClose(
    compute("verbalised_doubt", at, { best: { ...said, isCorrect: null } }),
    verbalised_doubt,
    "verbalised",
  );
  // lm-polygraph wants similarities from 0
  const samples = makeSamples(each);
  expectClose(
    sentenceSar(known(samples, "sequence_logprobs"), cosineAffinity(each.similarity)),
    sentence_sar,
    "sentence_sar",
  );
  // It adds the greedy answer to the different samples, also where it is one of them.
  const different = each.texts.flatMap((text, i) => (each.texts.indexOf(text) === i ? [i] : []));
  const logprobs = known(samples, "mean_logprobs");
  const verdicts = samples.entailment![each.best]!;
  expectClose(
    semanticDensity(
      [...different.map((i) => logprobs[i]!), logprobs[each.best]!],
      [...different.map((i) => verdicts[i]!), { neutral: 0, contradiction: 0 }],
    ),
    semantic_density,
    "semantic_density",
  );
  // Known fault: "direct" adds -p ln p for each sample, so a cluster of n samples counts n times.
  const sizes = [...new Set(each.cluster_ids)].map((c) => each.cluster_ids.filter((id) => id === c).length);
  const shares = sizes.map((n) => n / each.texts.length);
  expectClose(
    shares.reduce((sum, p, c) => sum - sizes[c]! * p * Math.log(p), 0),
    direct_discrete_semantic_entropy,
    "direct",
  );
});

test("lm-polygraph's direct estimate is not the entropy, which ours is", () => {
  const off = polygraph.cases.filter(
    (each) => Math.abs(each.direct_discrete_semantic_entropy - each.discrete_semantic_entropy) > 0.1,
  );
  expect(off.length).toBeGreaterThan(10);
});

test.each(cases)("uqlm, case %d of %d samples", (at, _k, each) => {
  const expected = uqlm.cases[at]!;
  for (const name of [
    "discrete_semantic_entropy",
    "nature_semantic_entropy",
    "sum_logprob_semantic_entropy",
  ] as const)
    expectClose(compute(name, at), expected[name], name);
  expectClose(Math.exp(-compute("best_max_token_nll", at)), expected.best_min_probability, "min_probability");
  expectClose(Math.exp(-compute("best_log_perplexity", at)), expected.best_sequence_probability, "sequence");
  expectClose(1 - compute("monte_carlo_improbability", at), expected.monte_carlo_probability, "monte_carlo");
  for (const name of ["exact_match", "noncontradiction", "entailment"] as const)
    expectClose(1 - compute(`${name}_inconsistency`, at), expected[name], name);
  const cosines = [...each.texts.keys()].map((i) =>
    each.texts.map((_, j) => (i === each.best ? expected.cosine_similarity[j]! : 0)),
  );
  const texts = [...each.texts.keys()].map(String); // all different, since embeddings decide here
  expectClose(
    1 - answerInconsistency(texts, each.best, cosineAgreement(cosines)),
    expected.cosine_sim,
    "cosine_sim",
  );
  // It averages over all samples, equal ones and the answer itself too.
  const samples = makeSamples(each);
  expectClose(
    -semanticDensity(known(samples, "mean_logprobs"), samples.entailment![each.best]!),
    expected.semantic_density,
    "semantic_density",
  );
});

test("uqlm's clustering puts an answer into two clusters, and takes entailment one way for two; ours does neither", () => {
  const { members, probs, texts } = uqlm.overlapping;
  expect(members).toEqual([
    [0, 2],
    [1, 2],
  ]);
  const entailment = toMatrix(probs);
  expect(clusterByVerdicts(entailment, { name: "strict" }, "first", texts)).toEqual([0, 1, 2]);
  expect(clusterByVerdicts(entailment, { name: "lenient" }, "first", texts)).toEqual([0, 1, 0]);
});

test.each(cases)("published formulas, case %d of %d samples", (at, _k, each) => {
  const expected = published.cases[at]!;
  for (const [name, value] of Object.entries(expected.estimates)) expectClose(compute(name, at), value, name);
  const { entailment } = makeSamples(each);
  const others = entailment![each.best]!.filter((_, i) => i !== each.best);
  expectClose(selfCheckNli([others]), expected.selfcheck_nli_of_best, "selfcheck_nli");
  expect(clusterByVerdicts(entailment!, { name: "lenient" }, "first", each.texts)).toEqual(
    expected.lenient_clusters,
  );
});

test.each(cases)("the modes, case %d of %d samples: clusters and semantic entropy", (at, _k, each) => {
  const expected = published.cases[at]!;
  const { entailment } = makeSamples(each);
  for (const mode of SE_MODE_NAMES) {
    const { rule, assignment } = SE_MODES[mode];
    const clusterIds = clusterByVerdicts(entailment!, rule, assignment, each.texts);
    expect(clusterIds, mode).toEqual(expected.clusters[mode]);
    const estimate = ESTIMATES.find(({ name }) => name === "semantic_entropy")!;
    expectClose(estimate.compute(makeSamples(each, { clusterIds }), mode), expected.modes[mode], mode);
  }
});

test("Kuhn's code groups different answers, so that equal ones stay together", () => {
  const { texts, probs, clusters } = published.repeated;
  const { rule, assignment } = SE_MODES.kuhn;
  expect(clusterByVerdicts(toMatrix(probs), rule, assignment, texts)).toEqual(clusters);
  expect(clusters).toEqual([0, 1, 1, 0]);
});

test("every two modes group some of these cases differently, and give other numbers", () => {
  for (const [i, one] of SE_MODE_NAMES.entries())
    for (const other of SE_MODE_NAMES.slice(i + 1)) {
      const groups = published.cases.filter(({ clusters }) => `${clusters[one]}` !== `${clusters[other]}`);
      expect(groups.length, `${one}, ${other}`).toBeGreaterThanOrEqual(5);
      expect(
        published.cases.filter(({ modes }) => Math.abs(modes[one] - modes[other]) > 0.01).length,
      ).toBeGreaterThan(5);
    }
});

test("every estimate is held against a reference here, or names what else checks it", () => {
  const checked = new Set([
    ...Object.keys(polygraph.cases[0]!),
    ...Object.keys(published.cases[0]!.estimates),
    ...["nature_semantic_entropy", "sum_logprob_semantic_entropy", "monte_carlo_improbability"],
    ...["exact_match", "noncontradiction", "entailment", "cosine_sim"].map((name) => `${name}_inconsistency`),
    ...["best_max_token_nll", "semantic_entropy", "selfcheck_nli"],
  ]);
  expect(ESTIMATES.map(({ name }) => name).filter((name) => !checked.has(name))).toEqual([
    // the functions that are checked for the best answer and for all tokens, on others
    "cluster_count",
    "likeliest_sequence_nll",
    "likeliest_log_perplexity",
    "likeliest_max_token_nll",
    "mean_token_entropy",
    "mean_think_token_entropy",
    "mean_answer_token_entropy",
    "p_false",
  ]);
});
