import { describe, expect, it } from "vitest";
import { createRng } from "../../../math/rng.ts";
import { ortNode } from "../../runtime/ort-node.ts";
import { floatTensor } from "../../runtime/runtime.ts";
import { type DrawnSums, readVocabulary } from "../../session/vocabulary.ts";
import { createGraph } from "../graph.ts";
import { addVocabulary, LOGIT_BLOCK } from "./vocabulary.ts";

/** @param logits [rows, V] */
async function measure(
  logits: Float32Array,
  rows: number,
  temperature = 1,
  window = 0,
  share = 1,
): Promise<DrawnSums[]> {
  const size = logits.length / rows;
  const graph = createGraph();
  const given = graph.input("given", "float32", ["predicted", size]);
  addVocabulary(graph, { rows: given, scales: null, finish: ({ rows }) => rows }, size);
  const model = { graph: graph.serialize(), sources: [] };
  await using session = await ortNode.createSession(model, { threads: 1 });
  const each = (value: number) => floatTensor(new Float32Array(rows).fill(value), [rows]);
  const outputs = await session.run({
    given: floatTensor(logits, [rows, size]),
    inverse_temperature: each(1 / temperature),
    window: each(window),
    share: each(share),
  });
  return readVocabulary(outputs, rows);
}

/** In float64, the slow way. */
function reference(logits: Float32Array, temperature: number) {
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

describe("addVocabulary", () => {
  it("is ln V for equal logits, whatever their size", async () => {
    for (const level of [0, 500, -1e6]) {
      const [{ entropy, highestLogprob }] = (await measure(new Float32Array(8).fill(level), 1)) as [
        DrawnSums,
      ];
      expect(entropy).toBeCloseTo(Math.log(8), 6);
      expect(highestLogprob).toBeCloseTo(-Math.log(8), 6);
    }
  });

  it("matches a hand-worked distribution of 1/2, 1/4, 1/4, and squares it at temperature 1/2", async () => {
    const [sums] = (await measure(Float32Array.from([0, Math.log(2), 0]), 1, 0.5)) as [DrawnSums];
    expect(sums.highest).toBeCloseTo(Math.log(2), 6);
    expect(sums.highestLogprob).toBeCloseTo(-Math.log(2), 6);
    expect(sums.entropy).toBeCloseTo(1.5 * Math.log(2), 6);
    // 1/4 : 1/16 : 1/16, the first of which counts as one
    expect(sums.temperedMass).toBeCloseTo(1.5, 6);
  });

  it.each([50_001, 50_048])(
    "agrees with float64 on a vocabulary of %i, and gives a row the same bits whatever rows are beside it",
    async (size) => {
      const rng = createRng("vocabulary");
      const rows = Array.from({ length: 7 }, () =>
        Float32Array.from({ length: size }, () => 25 * (rng.next() - 0.7) ** 3),
      );
      const together = new Float32Array(7 * size);
      rows.forEach((row, i) => {
        together.set(row, i * size);
      });
      const all = await measure(together, 7, 0.6, 0.05);
      for (const [i, row] of rows.entries()) {
        const [alone] = (await measure(row, 1, 0.6, 0.05)) as [DrawnSums];
        const own = all[i] as DrawnSums;
        expect(own).toEqual(alone);
        const expected = reference(row, 0.6);
        // float32 sums of 50,000 terms; measured: at most 2.6e-5, in an entropy near ln V = 10.8
        for (const name of ["highest", "highestLogprob", "entropy"] as const)
          expect(Math.abs(own[name] - expected[name]), name).toBeLessThan(6e-5);
        expect(own.temperedMass / expected.temperedMass).toBeCloseTo(1, 5);
        const reached = [...row.keys()].filter((id) => row[id]! >= expected.highest - 0.05);
        expect([...own.blocks]).toEqual([...new Set(reached.map((id) => Math.floor(id / LOGIT_BLOCK)))]);
        for (const [at, block] of own.blocks.entries()) {
          const read = own.blockLogits.subarray(at * LOGIT_BLOCK, (at + 1) * LOGIT_BLOCK);
          const given = row.subarray(block * LOGIT_BLOCK, (block + 1) * LOGIT_BLOCK);
          expect(read.subarray(0, given.length)).toEqual(given);
          expect(read.subarray(given.length).every((logit) => logit < -1e29)).toBe(true);
        }
      }
    },
  );

  it("reads no more than the share that is wanted needs", async () => {
    // at temperature 0.5: weights 1, e^-4, e^-6 and e^-20, each in a block of its own
    const logits = new Float32Array(4 * LOGIT_BLOCK).fill(-100);
    for (const [block, logit] of [0, -2, -3, -10].entries()) logits[block * LOGIT_BLOCK] = logit;
    const read = async (share: number, window = 12) => {
      const [{ blocks, window: reached }] = (await measure(logits, 1, 0.5, window, share)) as [DrawnSums];
      return { blocks: [...blocks], reached };
    };
    const near = { blocks: [0, 1], reached: expect.closeTo(2.505, 5) };
    expect(await read(0.9)).toEqual(near);
    expect(await read(0.997)).toEqual(near); // (1 + e^-4) / (1 + e^-4 + e^-6) = 0.9976
    expect(await read(0.998)).toEqual({ blocks: [0, 1, 2, 3], reached: 12 });
    expect(await read(1)).toEqual({ blocks: [0, 1, 2, 3], reached: 12 });
    expect(await read(0, 0)).toEqual({ blocks: [0], reached: 0 });
    expect(await read(0.9, 1)).toEqual({ blocks: [0], reached: 1 });
  });

  it("is never negative where one token has all the probability", async () => {
    const [sums] = (await measure(Float32Array.from([90, 0, 0, 0]), 1)) as [DrawnSums];
    expect(sums.entropy).toBeGreaterThanOrEqual(0);
    expect(sums.highestLogprob).toBeLessThanOrEqual(0);
    expect([...sums.blocks]).toEqual([0]);
  });
});
