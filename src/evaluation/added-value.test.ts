import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { auroc } from "../math/auroc.ts";
import { fitLogisticRegression } from "../math/logistic-regression.ts";
import { createRng } from "../math/rng.ts";
import { fitTextRegression } from "../probes/text-regression.ts";
import { measureAddedValue } from "./added-value.ts";
import { augrc } from "./rejection.ts";

type Numbers = readonly number[];

const golden = JSON.parse(readFileSync(new URL("../../test/golden/audit.json", import.meta.url), "utf8")) as {
  readonly labels: Numbers;
  readonly questions: Numbers;
  readonly fold: Numbers;
  readonly others: readonly Numbers[];
  readonly score: Numbers;
  readonly regression: { readonly ridge: number; readonly coefficients: Numbers; readonly intercept: number };
  readonly nested: Readonly<
    Record<"deviance_without" | "deviance_with" | "auc_without" | "auc_with", number>
  >;
  readonly texts: {
    readonly columns: readonly Numbers[];
    readonly labels: Numbers;
    readonly C: number;
    readonly coefficients: Numbers;
    readonly intercept: number;
  };
  readonly selective: readonly { readonly scores: Numbers; readonly augrc: number; readonly auroc: number }[];
};
const labels = Uint8Array.from(golden.labels);
const questions = golden.questions.map((question) => `q${question}`);
const others = golden.others.map((column) => Float64Array.from(column));
const score = Float64Array.from(golden.score);

describe("against scikit-learn", () => {
  // both minimise the same function; scikit-learn stops at a gradient of 1e-12
  const DIGITS = 8;

  it("a penalised regression on a few columns", () => {
    const { ridge, coefficients, intercept } = golden.regression;
    const fit = fitLogisticRegression(others, labels, { ridge });
    expect(fit.intercept).toBeCloseTo(intercept, DIGITS);
    coefficients.forEach((value, j) => {
      expect(fit.coefficients[j]).toBeCloseTo(value, DIGITS);
    });
  });

  it("a column that depends on another changes no prediction", () => {
    const doubled = fitLogisticRegression([others[0]!, others[0]!], labels, { ridge: 1e-9 });
    const once = fitLogisticRegression([others[0]!], labels, { ridge: 1e-9 });
    expect(doubled.coefficients[0]! + doubled.coefficients[1]!).toBeCloseTo(once.coefficients[0]!, 5);
  });

  it("a regression on texts, to the tolerance of its gradient", () => {
    const { columns, labels: own, C, coefficients, intercept } = golden.texts;
    const hashed = { columns: columns.map((each) => Int32Array.from(each)) };
    const fit = fitTextRegression(hashed, own, { rows: [...own.keys()], C });
    expect(fit.intercept).toBeCloseTo(intercept, 4);
    coefficients.forEach((value, j) => {
      expect(fit.weights[j]).toBeCloseTo(value, 4);
    });
  });

  it("nested models by their deviance and pooled AUROC out of fold", () => {
    const found = measureAddedValue(others, score, labels, questions, {
      permutations: 19,
      foldOf: golden.fold,
    })!;
    for (const [name, value] of Object.entries(golden.nested))
      expect(found[name as keyof typeof golden.nested], name).toBeCloseTo(value, DIGITS);
    expect(found.deviance_reduction).toBeCloseTo(
      1 - golden.nested.deviance_with / golden.nested.deviance_without,
      DIGITS,
    );
  });

  it.each(golden.selective)(
    "AUGRC and pooled AUROC, with and without ties",
    ({ scores, augrc: known, auroc: area }) => {
      expect(augrc(scores, labels)).toBeCloseTo(known, 12);
      expect(auroc(scores, labels)).toBeCloseTo(area, 12);
      // the identity of Traub et al., which holds with ties at half
      const error = golden.labels.reduce((sum, label) => sum + label, 0) / labels.length;
      expect(augrc(scores, labels)).toBeCloseTo(error ** 2 / 2 + error * (1 - error) * (1 - area), 12);
    },
  );
});

describe("measureAddedValue", () => {
  const permutations = 99;

  it("finds what is there, and nothing where the score is a copy of what is known", () => {
    const telling = score.map((value, row) => value + labels[row]!);
    const found = measureAddedValue(others, telling, labels, questions, { permutations })!;
    expect(found.p_value).toBe(0.01);
    expect(found.deviance_reduction).toBeGreaterThan(0.02);
    const copied = others[0]!.map((value) => 3 * value - 1);
    const nothing = measureAddedValue(others, copied, labels, questions, { permutations })!;
    expect(nothing.p_value).toBeGreaterThan(0.05);
    expect(nothing.deviance_reduction).toBeLessThan(0.01);
  });

  it("does not count the rows of a question as independent evidence", () => {
    // forty questions of two labels, a score that is noise by question, each copied five times
    const rng = createRng("added-value-test", 3);
    let rejected = 0;
    const repeats = 60;
    for (let repeat = 0; repeat < repeats; repeat++) {
      const label = Array.from({ length: 40 }, () => (rng.next() < 0.5 ? 1 : 0));
      const noise = Array.from({ length: 40 }, () => rng.next());
      const ids = golden.questions;
      const found = measureAddedValue(
        [],
        Float64Array.from(ids, (id) => noise[id]!),
        Uint8Array.from(ids, (id) => label[id]!),
        questions,
        { permutations: 39, seed: repeat },
      )!;
      if (found.p_value! <= 0.05) rejected++;
    }
    // 5% of 60 is 3; a test by row would reject about half
    expect(rejected).toBeLessThanOrEqual(9);
  });

  it("leaves out rows without a score, and is null without anything to tell apart", () => {
    const partly = score.map((value, row) => (row < 50 ? Number.NaN : value));
    expect(measureAddedValue(others, partly, labels, questions, { permutations })).toMatchObject({
      row_count: 150,
      question_count: 30,
    });
    expect(measureAddedValue(others, score, new Uint8Array(200), questions)).toBeNull();
    expect(
      measureAddedValue(
        others,
        score.map(() => Number.NaN),
        labels,
        questions,
      ),
    ).toBeNull();
    expect(measureAddedValue([], score, labels, Array(200).fill("q"))).toBeNull();
  });

  it("has no p-value where no two questions have as many rows", () => {
    const uneven = questions.map((_, row) => (row < 20 ? "a" : row < 60 ? "b" : "c"));
    expect(measureAddedValue(others, score, labels, uneven, { permutations })?.p_value ?? null).toBeNull();
  });
});
