import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRng } from "../../math/rng.ts";
import { LOGIT_BLOCK } from "../graph/parts/vocabulary.ts";
import {
  createTokenChooser,
  keptTokens,
  reachOf,
  scoreOf,
  sumScores,
  type TokenFilters,
  type TokenScores,
} from "./choose-token.ts";

const OFF: TokenFilters = { temperature: 1, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1 };
const NONE: ReadonlySet<number> = new Set();

/** Python transformers' warpers, written the slow and obvious way: the distribution that remains. */
function filteredDistribution(logits: Float32Array, filters: TokenFilters): Map<number, number> {
  let kept = [...logits].map((logit, id) => ({ id, score: logit / filters.temperature }));
  kept.sort((a, b) => b.score - a.score || a.id - b.id);
  if (filters.topK > 0 && filters.topK < kept.length) {
    const lowest = kept[filters.topK - 1]!.score;
    kept = kept.filter(({ score }) => score >= lowest);
  }
  const probabilities = (rows: typeof kept): number[] => {
    const weights = rows.map(({ score }) => Math.exp(score - kept[0]!.score));
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.map((weight) => weight / total);
  };
  if (filters.topP < 1) {
    let before = 0;
    kept = kept.filter((_, i, rows) => {
      const keep = before < filters.topP;
      before += probabilities(rows)[i]!;
      return keep;
    });
  }
  if (filters.minP > 0) {
    const p = probabilities(kept);
    kept = kept.filter((_, i) => p[i]! >= filters.minP * p[0]!);
  }
  return new Map(probabilities(kept).map((p, i) => [kept[i]!.id, p]));
}

const CASES: readonly [string, Partial<TokenFilters>][] = [
  ["temperature alone", { temperature: 0.7 }],
  ["top-k", { topK: 5 }],
  ["top-p", { topP: 0.8 }],
  ["min-p", { minP: 0.1 }],
  ["all of them", { temperature: 0.6, topK: 20, topP: 0.9, minP: 0.02 }],
];

describe("createTokenChooser", () => {
  const rng = createRng("logits");
  const logits = Float32Array.from({ length: 40 }, () => 3 * (rng.next() + rng.next() + rng.next() - 1.5));

  it.each(CASES)("draws from the filtered distribution: %s", (_, choice) => {
    const filters = { ...OFF, ...choice };
    const expected = filteredDistribution(logits, filters);
    const draws = 100_000;
    const stream = createRng("draws", JSON.stringify(choice));
    const counts = new Map<number, number>();
    const choose = createTokenChooser(filters);
    for (let i = 0; i < draws; i++) {
      const id = choose(sumScores(logits, filters.temperature), NONE, stream.next());
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    for (const id of counts.keys()) expect(expected.has(id), `token ${id} was filtered out`).toBe(true);
    let chiSquare = 0;
    for (const [id, p] of expected) chiSquare += ((counts.get(id) ?? 0) - draws * p) ** 2 / (draws * p);
    const freedom = expected.size - 1;
    // Wilson-Hilferty: the 99.99% quantile of chi-square; the streams are seeded, so it passes or fails for good
    const bound = freedom * (1 - 2 / (9 * freedom) + 3.72 * Math.sqrt(2 / (9 * freedom))) ** 3;
    expect(chiSquare).toBeLessThan(bound);
  });

  it("keeps what the slow reference keeps, whatever the logits", () => {
    fc.assert(
      fc.property(
        // distinct and on a grid, so that no token stands within a rounding of a filter's edge
        fc.uniqueArray(fc.integer({ min: -400, max: 400 }), { minLength: 1, maxLength: 60 }),
        fc.double({ min: 0.1, max: 3, noNaN: true }),
        fc.integer({ min: 0, max: 70 }),
        fc.double({ min: 0.05, max: 1, noNaN: true }),
        fc.constantFrom(0, 0.013, 0.31),
        (grid, temperature, topK, topP, minP) => {
          const scores = Float32Array.from(grid, (value) => value / 8);
          const filters = { ...OFF, temperature, topK, topP, minP };
          const kept = keptTokens(sumScores(scores, temperature), filters);
          const expected = filteredDistribution(scores, filters);
          if (kept === null) {
            expect(expected.size).toBe(scores.length);
            return;
          }
          const total = kept.weights.reduce((sum, weight) => sum + weight, 0);
          const drawable = [...expected].filter(([, p]) => p > 1e-12);
          expect([...kept.ids].filter((_, i) => kept.weights[i]! / total > 1e-12)).toEqual(
            drawable.map(([id]) => id),
          );
          drawable.forEach(([id, p], i) => {
            expect(kept.weights[i]! / total, `token ${id}`).toBeCloseTo(p, 9);
          });
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });

  it("sorts by score and then by id, over both signs, zeros and denormals", () => {
    const scores = Float32Array.from([-0, 1e-40, -2, 0, 3, -1e-40, -2, 3, 0.5, -700, 2 ** -149]);
    const kept = keptTokens(sumScores(scores, 1), { ...OFF, topK: 11 });
    expect([...kept!.ids]).toEqual([4, 7, 8, 1, 10, 0, 3, 5, 2, 6, 9]);
  });

  it("takes the most likely token at temperature 0, the first of equals", () => {
    const tied = Float32Array.from([0, 3, 1, 3]);
    expect(
      createTokenChooser({ ...OFF, temperature: 0, topK: 2, topP: 0.5 })(sumScores(tied, 1), NONE, 0.99),
    ).toBe(1);
  });

  it("divides positive and multiplies negative logits of seen tokens (Keskar et al. 2019)", () => {
    const two = Float32Array.from([2, 1.5, -1, -1.2]);
    const greedy = { ...OFF, temperature: 0, repetitionPenalty: 2 };
    expect(createTokenChooser(greedy)(sumScores(two, 1), NONE, 0)).toBe(0);
    expect(createTokenChooser(greedy)(sumScores(two, 1), new Set([0]), 0)).toBe(1);
    expect(createTokenChooser(greedy)(sumScores(two.slice(2), 1), new Set([0]), 0)).toBe(1);
    expect([...two], "the logits themselves stay").toEqual([2, 1.5, -1, Math.fround(-1.2)]);
  });

  it("never returns a token outside the vocabulary at either end of the random range", () => {
    for (const filters of [OFF, { ...OFF, topP: 0.5 }]) {
      for (const uniform of [0, 1 - 2 ** -53]) {
        const id = createTokenChooser(filters)(sumScores(logits, 1), NONE, uniform);
        expect(id).toBeGreaterThanOrEqual(0);
        expect(id).toBeLessThan(logits.length);
      }
    }
  });

  it("draws the same token from the logits within reach as from all of them", () => {
    const peaked = createRng("peaked");
    const filters = fc.constantFrom<Partial<TokenFilters>>(
      { temperature: 0 },
      { topP: 0.9, temperature: 0.6 },
      { topP: 0.999, temperature: 1.7 },
      { minP: 0.05 },
      { topP: 0.5, minP: 0.2 },
      { topK: 7, temperature: 0.4 },
      { temperature: 1.3 },
    );
    fc.assert(
      fc.property(
        filters,
        fc.integer({ min: 1, max: 700 }),
        fc.double({ min: 0.5, max: 12 }),
        (choice, size, spread) => {
          const all = { ...OFF, ...choice };
          const { temperature } = all;
          const logits = Float32Array.from({ length: size }, () => spread * Math.log(peaked.next() + 1e-6));
          const whole = sumScores(logits, temperature || 1);
          const choose = createTokenChooser(all);
          for (const uniform of [0, 0.3, 0.8, 0.999999]) {
            const near = withinReach(whole, reachOf(all, size, uniform), temperature, logits);
            const token = choose(whole, NONE, uniform);
            expect(choose(near, NONE, uniform)).toBe(token);
            expect(scoreOf(near, token)).toBe(logits[token]);
          }
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });
});

it("reads a whole nucleus where the random number lies far within it", () => {
  // half of the probability is just out of the reach of a token that is drawn with 0.5
  const logits = new Float32Array(50_000).fill(-Math.log(50_000) - Math.log(2) - 0.1);
  logits[0] = 0;
  const filters = { ...OFF, topP: 0.9 };
  const near = withinReach(sumScores(logits, 1), reachOf(filters, logits.length, 0.5), 1, logits);
  expect(keptTokens(near, filters)?.ids.length).toBeGreaterThan(30_000);
});

/** What the decoder's graph reads. */
function withinReach(
  scores: TokenScores,
  { window: widest, share, whole }: ReturnType<typeof reachOf>,
  temperature: number,
  logits: Float32Array,
): TokenScores {
  const near = 5 * (temperature || 1);
  const mass = logits
    .filter((logit) => logit > scores.highest - near)
    .reduce((sum, logit) => sum + Math.exp((logit - scores.highest) / (temperature || 1)), 0);
  const window = mass >= share * scores.total ? Math.min(near, widest) : widest;
  const blockCount = Math.ceil(logits.length / LOGIT_BLOCK);
  const padded = new Float32Array(blockCount * LOGIT_BLOCK).fill(-1e30);
  padded.set(logits);
  const blockOf = (block: number): Float32Array =>
    padded.subarray(block * LOGIT_BLOCK, (block + 1) * LOGIT_BLOCK);
  const blocks = Array.from({ length: blockCount }, (_, block) => block).filter(
    (block) => Math.max(...blockOf(block)) >= scores.highest - window,
  );
  const blockLogits = Float32Array.from(blocks.flatMap((block) => [...blockOf(block)]));
  return { ...scores, window, blocks: Int32Array.from(blocks), blockLogits, whole: whole ? logits : null };
}
