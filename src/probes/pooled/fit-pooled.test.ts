import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectAllClose } from "../../../test/expect-all-close.ts";
import { makeHashedSpans } from "../../../test/fakes/hashed-spans.ts";
import { ortNode } from "../../engine/runtime/ort-node.ts";
import { type ClassWeight, rowCosts } from "../fit-logistic.ts";
import { type PoolingMethod, type SpanPooling, scoreSpans } from "../pooling.ts";
import { createMatrixMultiplier, type MatrixMultiplier } from "../products/matrix-multiplier.ts";
import { fitPooled } from "./fit-pooled.ts";
import { createPooledFitter } from "./pooled-fitter.ts";
import { openSpanTokens } from "./token-blocks.ts";

interface GoldenCase {
  readonly method: PoolingMethod;
  readonly C: number;
  readonly class_weight: ClassWeight;
  readonly value: number;
  readonly coefficients: readonly number[];
  readonly intercept: number;
  readonly query: readonly number[] | null;
  readonly scores: readonly number[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/pooled-probes.json", import.meta.url), "utf8"),
) as {
  readonly spans: number;
  readonly width: number;
  readonly window: number;
  readonly cases: readonly GoldenCase[];
};
const spans = makeHashedSpans(golden.spans, golden.width);
const { labels, source, readFeatures, values, starts } = spans;
const poolingOf = (method: PoolingMethod): SpanPooling => ({
  method,
  window: method === "rolling-max" ? golden.window : null,
});
const foldOf = Uint8Array.from(labels, (_, i) => i % 3);

let multiplier: MatrixMultiplier;
beforeAll(async () => {
  multiplier = await createMatrixMultiplier(ortNode);
});
afterAll(() => multiplier[Symbol.asyncDispose]());

describe("fitPooled, against torch", () => {
  it.each(golden.cases)("$method, C $C", async (known) => {
    const tokens = await openSpanTokens(source, foldOf, readFeatures);
    const costs = rowCosts(labels, known.C, known.class_weight);
    const pooling = poolingOf(known.method);
    const [fit] = await fitPooled(
      multiplier,
      tokens,
      pooling,
      [{ scaler: tokens.scaler, outcomes: labels, costs }],
      { loss: "logistic", tolerance: 1e-5, maxEvaluations: 1000 },
    );
    const { coefficients, query, intercept, scores, minimum } = fit!;
    expect(minimum.converged).toBe(true);
    // gradients are sums of float32 products over 1,000 tokens
    expectAllClose(coefficients, known.coefficients, 1e-3);
    expect(Math.abs(intercept - known.intercept)).toBeLessThan(1e-3);
    if (known.query === null) expect(query).toBeNull();
    else expectAllClose(query!, known.query, 1e-3);
    expectAllClose(scores, known.scores, 3e-3);
    // what is fitted is what scores
    const probe = {
      mean: Float32Array.from(tokens.scaler.mean),
      scale: Float32Array.from(tokens.scaler.scale),
      coefficients: Float32Array.from(coefficients),
      intercept,
      hidden: null,
      pooling,
      ...(query === null ? {} : { query: Float32Array.from(query) }),
    };
    expectAllClose(scoreSpans(probe, { values, starts }), scores, 1e-5);
  });
});

describe("createPooledFitter", () => {
  const pooling = poolingOf("attention");
  const task = { labels, values: null, C: 1 };
  const open = (given: typeof spans, options: { readonly kind?: "logistic" | "ridge" } = {}) =>
    createPooledFitter(multiplier, given.source, foldOf, given.readFeatures, {
      pooling,
      kind: "logistic",
      classWeight: "none",
      ...options,
    });
  const fitEach = async (given: typeof spans, own = task, excluded: readonly number[][] = [[1]]) => {
    const fitter = await open(given);
    const found: { readonly held: Int32Array; readonly scores: readonly (Float64Array | null)[] }[] = [];
    for await (const each of fitter.fitEach(excluded.map((split) => ({ excluded: split, tasks: [own] }))))
      found.push(each);
    return found;
  };

  it("learns nothing from the spans that it leaves out, and scores them as a fit without them does", async () => {
    const spoilt = { ...spans, values: values.slice() };
    const turned = Uint8Array.from(labels, (label, i) => (foldOf[i] === 1 ? 1 - label : label));
    const [known] = await fitEach(spans);
    const [other] = await fitEach(spoilt, { ...task, labels: turned });
    expect([...known!.held]).toEqual([...labels.keys()].filter((i) => foldOf[i] === 1));
    expect(other!.scores[0]).toEqual(known!.scores[0]);
    const alone = await fitEach(spans, task, [[1], [0, 2], [2]]);
    // other fits beside it change the columns of a product, and nothing else
    expectAllClose(alone[0]!.scores[0]!, known!.scores[0]!, 1e-4);
  });

  it("moves scales with the spans that are fitted on", async () => {
    const moved = values.slice();
    for (let span = 0; span < foldOf.length; span++) {
      if (foldOf[span] !== 1) continue;
      for (let at = starts[span]! * 6; at < starts[span + 1]! * 6; at++) moved[at] = 50 * moved[at]! + 7;
    }
    const other = {
      ...spans,
      readFeatures: async (own: typeof source) => ({
        features: moved.slice(own.ranges[0]! * 6, own.ranges.at(-1)! * 6),
        width: 6,
      }),
    } as unknown as typeof spans;
    // the probe of folds 0 and 2 is the same, so that folds 0 and 2 have the same scores by it: seen on fold 2 of a fit on 0
    const [known] = await fitEach(spans, task, [[1, 2]]);
    const [found] = await fitEach(other, task, [[1, 2]]);
    const isOwn = [...known!.held].map((span) => foldOf[span] === 2);
    const pick = (scores: Float64Array) => scores.filter((_, i) => isOwn[i]);
    expectAllClose(pick(found!.scores[0]!), pick(known!.scores[0]!), 2e-3);
  });

  it("gives no scores where the spans it may learn from have one class, and fits numbers too", async () => {
    const one = Uint8Array.from(labels, (_, i) => (foldOf[i] === 1 ? i % 2 : 0));
    const [found] = await fitEach(spans, { ...task, labels: one });
    expect(found!.scores).toEqual([null]);
    const ridge = await open(spans, { kind: "ridge" });
    const amounts = Float64Array.from(labels, (label, i) => 2 * label + (i % 5) / 10);
    const [fit] = await ridge.fitAll([{ labels, values: amounts, C: 10 }]);
    const scores = scoreSpans({ ...fit!.weights, pooling }, { values, starts });
    const mean = (label: number) => {
      const own = [...scores].filter((_, i) => labels[i] === label);
      return own.reduce((sum, each) => sum + each, 0) / own.length;
    };
    expect(mean(1) - mean(0)).toBeGreaterThan(1);
    expect(fit!.optimisation).toMatchObject({ method: "l-bfgs" });
  });

  it("reads tokens again where they are too many to keep", async () => {
    const kept = await openSpanTokens(source, foldOf, readFeatures);
    const read = await openSpanTokens(source, foldOf, readFeatures, { mostBytes: 1000 });
    for await (const block of read.blocks()) {
      for await (const other of kept.blocks()) {
        expect(block.values).toEqual(other.values);
        expect(block.values).not.toBe(other.values);
      }
    }
  });
});
