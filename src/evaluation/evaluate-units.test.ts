import { describe, expect, it } from "vitest";
import { createRng } from "../math/rng.ts";
import { evaluateUnits, type UnitRows } from "./evaluate-units.ts";

const QUICK = { resamples: 200, seed: 1 };

/** @param parts question, run, label and score of each part, in the order of the text */
function rowsOf(parts: readonly (readonly [string, number, number, number])[]): UnitRows {
  return {
    scores: Float64Array.from(parts, ([, , , score]) => score),
    labels: Uint8Array.from(parts, ([, , label]) => label),
    questionIds: parts.map(([question]) => question),
    questionGroups: parts.map(([question]) => question),
    runIds: parts.map(([, run]) => run),
    spans: parts.flatMap((_, i) => [i, i + 1]),
  };
}

describe("evaluateUnits", () => {
  it("counts pairs within answers apart from all pairs, worked out by hand", () => {
    // answer a: 1 of its 2 pairs in order; answer b: both of its 2 pairs; answer c has one label
    const found = evaluateUnits(
      rowsOf([
        ["a", 0, 1, 0.5],
        ["a", 0, 0, 0.2],
        ["a", 0, 0, 0.9],
        ["b", 0, 0, 0.1],
        ["b", 0, 1, 0.3],
        ["b", 0, 1, 0.15],
        ["c", 0, 0, 0.95],
      ]),
      QUICK,
    );
    expect(found.answer_count).toBe(3);
    expect(found.within_answer).toMatchObject({
      answer_count: 2,
      unit_count: 6,
      question_count: 2,
      auroc: 3 / 4,
    });
    // positives 0.5, 0.3, 0.15 against negatives 0.2, 0.9, 0.1, 0.95: 2 + 2 + 1 of 12
    expect(found.pooled.auroc).toBeCloseTo(5 / 12, 12);
    expect(found.pooled).toMatchObject({ unit_count: 7, question_count: 3 });
  });

  it("gives a score that only knows which answer it is half of the pairs within answers", () => {
    const rng = createRng("units", 1);
    const parts = Array.from({ length: 60 }, (_, q) =>
      Array.from(
        { length: 6 },
        () => [`q${q}`, 0, rng.next() < (q % 2 === 0 ? 0.8 : 0.2) ? 1 : 0, q % 2] as const,
      ),
    ).flat();
    const found = evaluateUnits(rowsOf(parts.map(([q, r, label, odd]) => [q, r, label, 1 - odd])), QUICK);
    expect(found.pooled.auroc).toBeGreaterThan(0.75);
    expect(found.within_answer.auroc).toBe(0.5);
    const [, level] = found.pooled.intervals;
    expect(level!.low).toBeLessThan(found.pooled.auroc!);
  });

  it("bins parts by how far into their answer they are, whatever its length", () => {
    const parts = [3, 5, 11].flatMap((length, q) =>
      Array.from({ length }, (_, i) => [`q${q}`, 0, i % 2, i / length] as const),
    );
    const { over_position: bins } = evaluateUnits(rowsOf(parts.toReversed()), QUICK);
    expect(bins.map(({ unit_count }) => unit_count).reduce((a, b) => a + b)).toBe(19);
    expect(bins.map(({ from, to }) => [from, to])[2]).toEqual([0.4, 0.6]);
    expect(bins[2]!.unit_count).toBeGreaterThanOrEqual(4);
  });

  it("has no number where there is one label, or no row with a score", () => {
    const one = evaluateUnits(rowsOf([["a", 0, 1, 0.5]]), QUICK);
    expect(one.pooled).toEqual({ unit_count: 1, question_count: 1, auroc: null, intervals: [] });
    expect(one.within_answer).toMatchObject({ auroc: null, answer_count: 0 });
    const none = evaluateUnits(rowsOf([["a", 0, 1, Number.NaN]]), QUICK);
    expect(none.pooled).toMatchObject({ unit_count: 0, auroc: null });
  });
});
