import { describe, expect, it } from "vitest";
import { fillScores } from "../../test/fakes/fill-scores.ts";
import { createRng } from "../math/rng.ts";
import {
  correctedInterval,
  type SeedRows,
  type SeedScores,
  scoreRepetition,
  summariseSeeds,
} from "./summarise-seeds.ts";

describe("correctedInterval", () => {
  it("is that of Nadeau and Bengio, worked by hand", () => {
    // s² = 0.01, error = sqrt((1/3 + 0.2) 0.01) = 0.07303, t(0.975, 2) = 4.30265
    const { low, high } = correctedInterval([0.7, 0.8, 0.9], 0.2);
    expect(low).toBeCloseTo(0.8 - 4.30265 * 0.0730297, 5);
    expect(high).toBeCloseTo(0.8 + 4.30265 * 0.0730297, 5);
  });
});

describe("summariseSeeds", () => {
  const rowsOf = (seed: number, strength: number): SeedRows => {
    const rng = createRng("seeds-test", seed);
    const incorrect = Uint8Array.from({ length: 60 }, (_, i) => (i % 3 === 0 ? 1 : 0));
    const noisy = (weight: number): Float64Array =>
      Float64Array.from(incorrect, (label) => weight * label + rng.next());
    return {
      questionGroups: Array.from({ length: 60 }, (_, i) => `q${i >> 1}`),
      incorrect,
      byName: fillScores({ accuracy_probe: noisy(strength), semantic_entropy: noisy(0.5) }, 60),
    };
  };
  const repetitions: SeedScores[] = [1, 2, 3].map((seed) => ({
    seed,
    other_questions: 150,
    splits: {
      math_test: scoreRepetition(rowsOf(seed, 0.9)),
      ood_test: scoreRepetition(rowsOf(10 + seed, 0.2)),
    },
  }));
  const ood = [11, 12, 13].map((seed) => rowsOf(seed, 0.2));
  const options = { probe: "accuracy_probe", ood, resamples: 50 } as const;

  it("has means, standard deviations and differences over the seeds", () => {
    const { splits, seeds } = summariseSeeds(repetitions, { ...options, isSplitGiven: false });
    expect(seeds).toEqual([1, 2, 3]);
    const { math_test: test, ood_test: second } = splits;
    const { accuracy_probe: probe, semantic_entropy: entropy, se_probe: missing } = test!.scores;
    expect(missing).toBeUndefined();
    expect(probe!.difference).toBeNull();
    const values = probe!.auc.values as number[];
    expect(values).toHaveLength(3);
    expect(probe!.auc.interval).toEqual(correctedInterval(values, 30 / 150));
    expect(entropy!.difference!.mean).toBeCloseTo(probe!.auc.mean - entropy!.auc.mean, 12);
    expect(entropy!.difference!.p_value).toBeGreaterThan(0);
    // the second set's questions are the same in each repetition
    expect(second!.interval).toBe("bootstrap");
    const { interval, mean } = second!.scores.accuracy_probe!.auc;
    expect(interval!.low).toBeLessThan(mean);
    expect(interval!.high).toBeGreaterThan(mean);
    expect(second!.scores.semantic_entropy!.difference).toMatchObject({ interval: null, p_value: null });
  });

  it("gives no interval where only the fits differ, and counts a repetition without a score", () => {
    const one = { ...repetitions[0]!, splits: { math_test: scoreRepetition(rowsOf(1, 1)) } };
    const bare = scoreRepetition({ ...rowsOf(1, 1), byName: fillScores({}, 60) });
    const { splits } = summariseSeeds([one, { ...one, seed: 2, splits: { math_test: bare } }], {
      ...options,
      isSplitGiven: true,
    });
    expect(splits.ood_test).toBeUndefined();
    expect(splits.math_test!.interval).toBe("none");
    const { auc } = splits.math_test!.scores.accuracy_probe!;
    expect(auc).toMatchObject({ values: [expect.any(Number), null], sd: 0, interval: null });
  });
});
