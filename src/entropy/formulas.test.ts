import fc from "fast-check";
import { expect, test } from "vitest";
import {
  degreeMatrixUncertainty,
  eccentricity,
  eigenvalueCount,
  HEAT_KERNEL,
  kernelLanguageEntropy,
  MATERN_KERNEL,
  nonContradictionAffinity,
  semanticGraph,
} from "./graph-measures.ts";
import {
  countSemanticSets,
  lexicalSimilarity,
  luq,
  selfCheckNli,
  semanticDensity,
  sentenceSar,
} from "./pair-measures.ts";
import { type EntailmentMatrix, mapPairs } from "./question-samples.ts";
import { clusterByVerdicts } from "./se-mode.ts";
import { meanClusterSurprisal, minorityShare, monteCarloSemanticEntropy } from "./semantic-entropy.ts";
import { eigenScore, verbalisedConfidence } from "./state-measures.ts";
import {
  likeliestSample,
  maxTokenEntropy,
  maxTokenNll,
  monteCarloImprobability,
  sequenceNll,
} from "./token-measures.ts";

/** Float64 arithmetic on numbers of order 1. */
const ROUNDING = 1e-12;

/** Verdicts of certainty: entailment within a group, contradiction between groups. */
const groups = (ids: readonly number[]): EntailmentMatrix =>
  mapPairs(ids.length, (i, j) => ({
    entailment: Number(ids[i] === ids[j]),
    neutral: 0,
    contradiction: Number(ids[i] !== ids[j]),
  }));

test("worked by hand: groups that a model is sure of", () => {
  const matrix = groups([0, 1, 0, 2]);
  const W = nonContradictionAffinity(matrix);
  expect(degreeMatrixUncertainty(W)).toBe(1 - 6 / 16);
  expect(eigenvalueCount(W)).toBeCloseTo(3, 12); // one eigenvalue 0 a group, the others are 1
  // each group's indicator of length 1; centred, 1 - n_c / K of its square is left
  expect(eccentricity(W)).toBeCloseTo(Math.sqrt(1 / 2 + 3 / 4 + 3 / 4), 12);
  expect(countSemanticSets(matrix)).toBe(3);
  expect(luq(matrix)).toBeCloseTo(1 - 2 / 12, 14);
  for (const name of ["strict", "lenient", "no-contradiction"] as const)
    for (const assignment of ["first", "last", "chain"] as const)
      expect(clusterByVerdicts(matrix, { name }, assignment, ["a", "b", "c", "d"])).toEqual([0, 1, 0, 2]);
  const alike = semanticGraph(groups([0, 0, 0]));
  const apart = semanticGraph(groups([0, 1, 2]));
  expect(kernelLanguageEntropy(apart, HEAT_KERNEL)).toBeCloseTo(1, 12); // no edges: the kernel is the identity
  for (const kernel of [HEAT_KERNEL, MATERN_KERNEL]) {
    expect(kernelLanguageEntropy(apart, kernel)).toBeGreaterThan(kernelLanguageEntropy(alike, kernel));
    expect(kernelLanguageEntropy(semanticGraph(groups([0])), kernel)).toBe(0);
  }
});

test("worked by hand: numbers", () => {
  expect(minorityShare([0, 1, 0, 2])).toBe(0.5);
  expect(monteCarloImprobability([Math.log(0.5), Math.log(0.25)])).toBeCloseTo(0.625, 14);
  expect(sequenceNll([-1, -2])).toBe(3);
  expect(maxTokenNll([-1, -2, -0.5])).toBe(2);
  expect(maxTokenEntropy([[1, 3], [2]])).toBe(2.5);
  expect(likeliestSample([-3, -1, -1])).toBe(1);
  expect(monteCarloSemanticEntropy([0, 0, 1], [Math.log(0.25), Math.log(0.25), Math.log(0.1)])).toBeCloseTo(
    -(2 * Math.log(0.5) + Math.log(0.1)) / 3,
    14,
  );
  expect(meanClusterSurprisal([0, 0, 1], [0, 0, 0], "sum")).toBeCloseTo(5 - Math.LN2 / 2, 14);
  expect(meanClusterSurprisal([0, 0, 1], [0, 0, 0], "sum_normalized")).toBeCloseTo(
    (Math.log(1.5) + Math.log(3)) / 2,
    14,
  );
  expect(meanClusterSurprisal([0, 0, 1], [0, 0, 0], "mean")).toBe(0);
  expect(
    semanticDensity(
      [0, 0],
      [
        { neutral: 0, contradiction: 0 },
        { neutral: 0.4, contradiction: 0.6 },
      ],
    ),
  ).toBeCloseTo(-0.6, 14);
  expect(
    sentenceSar(
      [Math.log(0.5), Math.log(0.25)],
      [
        [1, 0.1],
        [0.1, 1],
      ],
    ),
  ).toBeCloseTo(-(Math.log(0.5 + 25) + Math.log(0.25 + 50)) / 2, 12);
  expect(
    eigenScore([
      [1, 1],
      [3, 3],
    ]),
  ).toBeCloseTo(Math.log(1e-3), 12); // nothing varies over the features
  const sure = (contradiction: number) => ({ entailment: 1 - contradiction, neutral: 0, contradiction });
  expect(
    selfCheckNli([
      [sure(1), sure(0)],
      [sure(0.5), sure(0)],
    ]),
  ).toBe(0.375);
  expect(selfCheckNli([[{ entailment: 0, neutral: 1, contradiction: 0 }]])).toBe(0.5);
});

test("log-probabilities far below the smallest float still weigh; the references give infinities there", () => {
  const far = [-2000, -2001, -2002];
  expect(meanClusterSurprisal([0, 0, 1], far, "sum_normalized")).toBeCloseTo(
    meanClusterSurprisal([0, 0, 1], [0, -1, -2], "sum_normalized"),
    10, // 2000's spacing
  );
  expect(monteCarloSemanticEntropy([0, 1, 1], far)).toBeGreaterThan(1999);
  expect(
    sentenceSar(
      far,
      mapPairs(3, () => 1),
    ),
  ).toBeGreaterThan(1900);
  expect(
    semanticDensity(
      far,
      far.map(() => ({ neutral: 0, contradiction: 0.5 })),
    ),
  ).toBeCloseTo(-0.5, 12);
});

test("samples without an answer agree with each other and with no text", () => {
  expect(lexicalSimilarity([null, null])).toBe(-1);
  expect(lexicalSimilarity(["42", null])).toBe(0);
  expect(lexicalSimilarity(["the cat sat", "the cats sat", null])).toBeCloseTo(-1 / 3, 14);
});

const verdicts = fc.integer({ min: 1, max: 7 }).chain((n) =>
  fc
    .array(
      fc.tuple(fc.double({ min: 0.01, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })),
      {
        minLength: n * n,
        maxLength: n * n,
      },
    )
    .map((cells) =>
      mapPairs(n, (i, j) => {
        const [entailment, share] = cells[i * n + j]!;
        return {
          entailment,
          neutral: (1 - entailment) * share,
          contradiction: (1 - entailment) * (1 - share),
        };
      }),
    ),
);

test("bounds, and the samples' order, of estimates on NLI verdicts", () => {
  fc.assert(
    fc.property(verdicts, (matrix) => {
      const n = matrix.length;
      const turned = mapPairs(n, (i, j) => matrix[n - 1 - i]![n - 1 - j]!);
      const measure = (each: EntailmentMatrix) => {
        const W = nonContradictionAffinity(each);
        return [
          degreeMatrixUncertainty(W),
          eigenvalueCount(W),
          countSemanticSets(each),
          kernelLanguageEntropy(semanticGraph(each), HEAT_KERNEL),
          kernelLanguageEntropy(semanticGraph(each, { soft: true }), MATERN_KERNEL),
        ] as const;
      };
      const [forth, back] = [measure(matrix), measure(turned)];
      forth.forEach((value, i) => {
        expect(Math.abs(value - back[i]!)).toBeLessThanOrEqual(1e-9); // eigenvalues of another matrix
      });
      const [degree, eigv, sets, heat, matern] = forth;
      expect(degree).toBeGreaterThanOrEqual(-ROUNDING);
      expect(degree).toBeLessThanOrEqual(1);
      expect(eigv).toBeGreaterThanOrEqual(1 - ROUNDING);
      expect(eigv).toBeLessThanOrEqual(n + ROUNDING);
      expect(sets).toBeGreaterThanOrEqual(1);
      expect(sets).toBeLessThanOrEqual(n);
      for (const kle of [heat, matern]) {
        expect(kle).toBeGreaterThanOrEqual(0);
        expect(kle).toBeLessThanOrEqual(1 + ROUNDING);
      }
    }),
    { seed: 1, numRuns: 60 },
  );
});

test.each([
  ["Answer: 4\nConfidence: 85%", 0.85],
  ["Probability: 0.7", 0.7],
  ["**Confidence:** 90", 0.9],
  ["I am about 60% sure.", 0.6],
  ["Confidence level is about 7/10.", 0.7],
  ["Probability (0.0 to 1.0): 0.25", 0.25],
  ["Confidence: 20%. No wait. Confidence: 75 percent", 0.75],
  ["my confidence is 0,5", 0.5],
  ["Confidence: 1", 1],
  ["Confidence: 120%", null],
  ["certainty of 11/10", null],
  ["The probability that a die shows 6 is one sixth.", null],
  ["It costs 85% more.", null],
  ["", null],
])("the confidence in %j", (text, expected) => {
  expect(verbalisedConfidence(text)).toBe(expected);
});

// By the square of their length these would take hours.
test.each([
  ["brackets", "confidence (".repeat(50_000)],
  ["digits", "7".repeat(600_000)],
  ["spaces", `confidence:${" ".repeat(600_000)}`],
  ["digits and spaces", `${"5 ".repeat(200_000)}${" ".repeat(200_000)}`],
])("a text of nothing but %s states no confidence", (_what, text) => {
  expect(verbalisedConfidence(text)).toBe(null);
  expect(verbalisedConfidence(`${text} Confidence: 85%`)).toBe(0.85);
});

test("misuse is refused", () => {
  for (const misuse of [
    () => degreeMatrixUncertainty([]),
    () => degreeMatrixUncertainty([[1, 0]]),
    () =>
      eigenvalueCount([
        [1, 0],
        [0, 0],
      ]),
    () => kernelLanguageEntropy([], HEAT_KERNEL),
    () => luq(groups([0])),
    () => lexicalSimilarity(["a"]),
    () => countSemanticSets([]),
    () => semanticDensity([], []),
    () => semanticDensity([0], []),
    () => semanticDensity([-Infinity], [{ neutral: 0, contradiction: 0 }]),
    () => selfCheckNli([]),
    () => selfCheckNli([[]]),
    () =>
      sentenceSar(
        [0],
        [
          [1, 0],
          [0, 1],
        ],
      ),
    () => eigenScore([]),
    () => eigenScore([[]]),
    () => eigenScore([[1], [1, 2]]),
    () => likeliestSample([]),
    () => likeliestSample([Number.NaN]),
    () => minorityShare([]),
    () => monteCarloImprobability([]),
    () => sequenceNll([]),
    () => maxTokenNll([]),
    () => maxTokenEntropy([]),
    () => maxTokenEntropy([[1], []]),
    () => meanClusterSurprisal([0], [], "sum"),
    () => clusterByVerdicts([], { name: "strict" }, "first", []),
  ])
    expect(misuse, misuse.toString()).toThrow(RangeError);
});
