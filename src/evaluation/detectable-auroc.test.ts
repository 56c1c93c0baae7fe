import { describe, expect, it } from "vitest";
import { normalQuantile } from "../math/distributions.ts";
import { evaluatePower, hanleyMcNeilError } from "./detectable-auroc.ts";

describe("hanleyMcNeilError", () => {
  it("is what the paper's example gives by hand: 0.893 from 51 abnormal and 58 normal images", () => {
    // Q1 = 0.893 / 1.107, Q2 = 2 · 0.7974 / 1.893; (0.0956 + 50 · 0.0092 + 57 · 0.0451) / 2958 = 0.00106
    expect(hanleyMcNeilError(0.893, 51, 58)).toBeCloseTo(0.0325, 4); // its root to four digits
  });
});

describe("evaluatePower", () => {
  const study = (questions: number, answers: number, isWrong: (q: number, i: number) => boolean) => {
    const ids = Array.from({ length: questions * answers }, (_, row) => `q${Math.floor(row / answers)}`);
    return {
      ids,
      labels: ids.map((_, row) => (isWrong(Math.floor(row / answers), row % answers) ? 1 : 0)),
    };
  };

  it("counts questions where their answers are all alike, and answers where they are not", () => {
    const alike = study(40, 10, (q) => q % 2 === 0);
    const mixed = study(40, 10, (q, i) => (q + i) % 2 === 0);
    const single = study(40, 1, (q) => q % 2 === 0);
    const [all, none, one] = [alike, mixed, single].map(({ labels, ids }) => evaluatePower(labels, ids)!);
    expect(all).toMatchObject({ label_correlation: 1, design_effect: 10 });
    expect(all!.smallest_auc).toBeCloseTo(one!.smallest_auc!, 9);
    expect(none).toMatchObject({ label_correlation: 0, design_effect: 1 });
    expect(none!.smallest_auc).toBeLessThan(all!.smallest_auc! - 0.1);
    // at the border, the distance from chance is what level and power ask for
    const border = one!.smallest_auc!;
    const errors =
      normalQuantile(0.95) * hanleyMcNeilError(0.5, 20, 20) +
      normalQuantile(0.8) * hanleyMcNeilError(border, 20, 20);
    expect(border - 0.5).toBeCloseTo(errors, 9);
  });

  it("knows when nothing can be found, or asked", () => {
    const few = study(3, 4, (q) => q === 0);
    expect(evaluatePower(few.labels, few.ids)!.smallest_auc).toBeNull();
    expect(evaluatePower([0, 0], ["a", "b"])).toBeNull();
    expect(evaluatePower([0, 1], ["a", "a"])).toBeNull();
  });
});
