import { describe, expect, it } from "vitest";
import { type CostedRows, evaluateRoute, type RivalRoute } from "./evaluate-route.ts";

const QUICK = { resamples: 50, permutations: 199, seed: 1 };
const ROWS: CostedRows = {
  questionIds: ["a", "b", "c", "d"],
  scores: [0.1, 0.2, 0.3, 0.4],
  smallIncorrect: [0, 1, 1, 1],
  largeIncorrect: [0, 0, 0, 1],
  smallCost: [1, 1, 1, 1],
  largeCost: [10, 10, 10, 10],
};

const find = (comparisons: readonly RivalRoute[], name: string): RivalRoute =>
  comparisons.find(({ router }) => router === name)!;

describe("evaluateRoute", () => {
  it("gives risk, share and cost of the route and of either model alone, worked by hand", () => {
    const { route, small_alone, large_alone, question_count } = evaluateRoute(
      0.25,
      ROWS,
      {},
      { isEarly: false, ...QUICK },
    );
    expect(question_count).toBe(4);
    const numbers = (each: typeof route): number[] =>
      [each.risk, each.share_escalated, each.cost_per_answer].map(({ estimate }) => estimate);
    expect(numbers(route)).toEqual([0.5, 0.5, 6]);
    expect(numbers(small_alone)).toEqual([0.75, 0, 1]);
    expect(numbers(large_alone)).toEqual([0.25, 1, 10]);
    expect(route.risk.intervals.length).toBeGreaterThan(0);
  });

  it("spends as much on rivals: 5 beyond the small answers are two of four", () => {
    const length = [1, 9, 9, 2];
    const { comparisons } = evaluateRoute(0.25, ROWS, { length }, { isEarly: false, ...QUICK });
    expect(find(comparisons, "length")).toMatchObject({ risk: 0.25, share_escalated: 0.5 });
    expect(find(comparisons, "length").risk_difference.estimate).toBeCloseTo(-0.25, 12);
    // at random nobody waits for the small answer: (6 - 1) / (10 - 1) of the answers are escalated
    const random = find(comparisons, "random");
    expect(random.share_escalated).toBeCloseTo(5 / 9, 12);
    expect(random.risk).toBeCloseTo((4 / 9 + 4 / 9 + 1) / 4, 12);
    expect(comparisons.map(({ router }) => router)).toEqual(["random", "length"]);
    for (const { p_value, p_value_holm } of comparisons)
      expect(p_value_holm).toBeGreaterThanOrEqual(p_value!);
  });

  it("escalates tied answers in equal part, and those without a score first", () => {
    const tied = evaluateRoute(0.25, ROWS, { length: [5, 5, 5, 1] }, { isEarly: false, ...QUICK });
    expect(find(tied.comparisons, "length").risk).toBeCloseTo((0 + 1 / 3 + 1 / 3 + 1) / 4, 12);
    const unknown = { mean_logprob: [0, Number.NaN, 3, 2] };
    const missing = evaluateRoute(0.25, ROWS, unknown, { isEarly: false, ...QUICK });
    expect(find(missing.comparisons, "mean_logprob").risk).toBeCloseTo(0.25, 12);
  });

  it("saves the small answer where the score is known before it, but not for rivals that read it", () => {
    const early = evaluateRoute(0.25, ROWS, { length: [1, 9, 9, 2] }, { isEarly: true, ...QUICK });
    expect(early.route.cost_per_answer.estimate).toBe(5.5);
    expect(find(early.comparisons, "length").share_escalated).toBeCloseTo(0.45, 12);
    expect(find(early.comparisons, "random").share_escalated).toBeCloseTo(0.5, 12);
  });

  it("weighs questions equally, however many answers they have, and prices them one by one", () => {
    const rows: CostedRows = {
      questionIds: ["a", "a", "a", "b"],
      scores: [0.1, 0.1, 0.9, 0.9],
      smallIncorrect: [1, 0, 0, 1],
      largeIncorrect: [1, 1, 1, 0],
      smallCost: [1, 2, 3, 4],
      largeCost: [30, 30, 30, 50],
    };
    const { route } = evaluateRoute(0.5, rows, {}, { isEarly: false, ...QUICK });
    expect(route.risk.estimate).toBeCloseTo(((1 + 0 + 1) / 3 + 0) / 2, 12);
    expect(route.cost_per_answer.estimate).toBeCloseTo(((1 + 2 + 33) / 3 + 54) / 2, 12);
    expect(route.share_escalated.estimate).toBeCloseTo((1 / 3 + 1) / 2, 12);
  });

  it("finds a good score better than chance", () => {
    const count = 120;
    const wrong = Array.from({ length: count }, (_, i) => (i % 3 === 0 ? 1 : 0));
    const rows: CostedRows = {
      questionIds: wrong.map((_, i) => String(i)),
      scores: wrong.map((each) => each),
      smallIncorrect: wrong,
      largeIncorrect: wrong.map(() => 0),
      smallCost: wrong.map(() => 1),
      largeCost: wrong.map(() => 10),
    };
    const { route, comparisons } = evaluateRoute(0.5, rows, {}, { isEarly: false, ...QUICK });
    expect(route.risk.estimate).toBe(0);
    expect(find(comparisons, "random")).toMatchObject({ p_value: 0.005 });
    expect(find(comparisons, "random").risk_difference.estimate).toBeGreaterThan(0.15);
  });
});
