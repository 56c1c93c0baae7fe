import { afterAll, describe, expect, it } from "vitest";
import { createRng } from "../../math/rng.ts";
import { ortNode } from "../runtime/ort-node.ts";
import { createVocabularySession } from "./vocabulary-session.ts";

const session = createVocabularySession(ortNode, 1);
afterAll(() => session[Symbol.asyncDispose]());

/** In float64, the slow way. */
function reference(logits: Float32Array, temperature: number): Record<string, number> {
  const highest = Math.max(...logits);
  const massAt = (scale: number): number =>
    logits.reduce((sum, logit) => sum + Math.exp((logit - highest) / scale), 0);
  const total = Math.log(massAt(1));
  const entropy = logits.reduce((sum, logit) => {
    const logprob = logit - highest - total;
    return sum - Math.exp(logprob) * logprob;
  }, 0);
  return { highest, highestLogprob: -total, entropy, temperedMass: massAt(temperature) };
}

describe("createVocabularySession", () => {
  it("is ln V for equal logits, whatever their size", async () => {
    for (const level of [0, 500, -1e6]) {
      const { entropy, highestLogprob } = await session.measure(new Float32Array(8).fill(level), 1, 1);
      expect(entropy[0]).toBeCloseTo(Math.log(8), 6);
      expect(highestLogprob[0]).toBeCloseTo(-Math.log(8), 6);
    }
  });

  it("matches a hand-worked distribution of 1/2, 1/4, 1/4, and squares it at temperature 1/2", async () => {
    const measures = await session.measure(Float32Array.from([0, Math.log(2), 0]), 1, 0.5);
    expect(measures.highest[0]).toBeCloseTo(Math.log(2), 6);
    expect(measures.highestLogprob[0]).toBeCloseTo(-Math.log(2), 6);
    expect(measures.entropy[0]).toBeCloseTo(1.5 * Math.log(2), 6);
    // 1/4 : 1/16 : 1/16, the first of which counts as one
    expect(measures.temperedMass[0]).toBeCloseTo(1.5, 6);
  });

  it("agrees with float64 on a large vocabulary, and gives a row the same bits whatever rows are beside it", async () => {
    const rng = createRng("vocabulary");
    const size = 50_001;
    const rows = Array.from({ length: 7 }, () =>
      Float32Array.from({ length: size }, () => 25 * (rng.next() - 0.7) ** 3),
    );
    const together = new Float32Array(7 * size);
    rows.forEach((row, i) => {
      together.set(row, i * size);
    });
    const all = await session.measure(together, 7, 0.6);
    for (const [i, row] of rows.entries()) {
      const alone = await session.measure(row, 1, 0.6);
      const expected = reference(row, 0.6);
      for (const name of ["highest", "highestLogprob", "entropy"] as const) {
        expect(all[name][i], name).toBe(alone[name][0]);
        // float32 sums of 50,000 terms; measured: at most 2.6e-5, in an entropy near ln V = 10.8
        expect(Math.abs((all[name][i] as number) - (expected[name] as number)), name).toBeLessThan(6e-5);
      }
      expect(all.temperedMass[i]).toBe(alone.temperedMass[0]);
      expect((all.temperedMass[i] as number) / (expected.temperedMass as number)).toBeCloseTo(1, 5);
    }
  });

  it("is never negative where one token has all the probability", async () => {
    const { entropy, highestLogprob } = await session.measure(Float32Array.from([90, 0, 0, 0]), 1, 1);
    expect(entropy[0]).toBeGreaterThanOrEqual(0);
    expect(highestLogprob[0]).toBeLessThanOrEqual(0);
  });
});
