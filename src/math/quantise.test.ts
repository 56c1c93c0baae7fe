import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BlockQuantisedMatrix, INT4_BLOCK, quantiseBlocks, quantiseRows } from "./quantise.ts";

describe("quantiseRows", () => {
  it("rounds each row on its own scale and lays the codes out by input", () => {
    const { codes, scales } = quantiseRows(Float32Array.from([1, -0.3, 0.25, 100, 0, -40]), {
      outSize: 2,
      inSize: 3,
      transposed: false,
    });
    expect([...scales]).toEqual([Math.fround(1 / 127), Math.fround(100 / 127)]);
    // by input: [row 0, row 1] of each of the three
    expect([...codes]).toEqual([127, 127, -38, 0, 32, -51]);
  });

  it("reads a transposed matrix as the same weights", () => {
    const sizes = { outSize: 2, inSize: 3 };
    const straight = quantiseRows(Float32Array.from([1, 2, 3, 4, 5, 6]), { ...sizes, transposed: false });
    const turned = quantiseRows(Float32Array.from([1, 4, 2, 5, 3, 6]), { ...sizes, transposed: true });
    expect(turned).toEqual(straight);
  });

  it("errs by at most half a step of the row, and keeps rows of zeros", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -8000, max: 8000 }), { minLength: 6, maxLength: 6 }),
        (eighths) => {
          const values = eighths.map((value) => value / 8);
          const { codes, scales } = quantiseRows(Float32Array.from(values), {
            outSize: 2,
            inSize: 3,
            transposed: false,
          });
          values.forEach((value, i) => {
            const [out, input] = [Math.floor(i / 3), i % 3];
            const restored = (codes[input * 2 + out] as number) * (scales[out] as number);
            expect(Math.abs(restored - value)).toBeLessThanOrEqual(0.5001 * (scales[out] as number));
          });
        },
      ),
      { seed: 3 },
    );
    expect([
      ...quantiseRows(new Float32Array(4), { outSize: 1, inSize: 4, transposed: false }).codes,
    ]).toEqual([0, 0, 0, 0]);
  });
});

/** What the codes stand for: [outSize, inSize]. */
function restore(
  { codes, scales, offsets }: BlockQuantisedMatrix,
  outSize: number,
  inSize: number,
): number[] {
  const blocks = Math.ceil(inSize / INT4_BLOCK);
  return Array.from({ length: outSize * inSize }, (_, at) => {
    const [out, input] = [Math.floor(at / inSize), at % inSize];
    const b = Math.floor(input / INT4_BLOCK);
    const place = (out * blocks + b) * INT4_BLOCK + (input % INT4_BLOCK);
    const code = ((codes[place >> 1] as number) >> (4 * (place & 1))) & 15;
    return (code - 8) * (scales[out * blocks + b] as number) + (offsets[b * outSize + out] as number);
  });
}

describe("quantiseBlocks", () => {
  it("keeps what lies on sixteen levels, wherever they begin", () => {
    const values = Float32Array.from({ length: 2 * 32 }, (_, i) => (i % 16) / 4 + (i < 32 ? -1.25 : 3.125));
    const matrix = quantiseBlocks(values, { outSize: 2, inSize: 32, transposed: false });
    expect([...matrix.scales]).toEqual([0.25, 0.25]);
    expect([...matrix.offsets]).toEqual([0.75, 5.125]); // the lowest level and eight steps
    expect([...matrix.codes.slice(0, 3)]).toEqual([0x10, 0x32, 0x54]); // the earlier code in the lower half
    expect(restore(matrix, 2, 32)).toEqual([...values]);
  });

  it("fills up a last block that is not full with zeros", () => {
    const values = Float32Array.from({ length: 40 }, (_, i) => (i < 32 ? i % 16 : 8 * ((i % 16) - 3)));
    const matrix = quantiseBlocks(values, { outSize: 1, inSize: 40, transposed: false });
    expect([matrix.codes.length, matrix.scales.length, matrix.offsets.length]).toEqual([32, 2, 2]);
    const restored = restore(matrix, 1, 40);
    expect(restored.slice(0, 32)).toEqual([...values.slice(0, 32)]);
    expect(Math.abs((restored[39] as number) - 32)).toBeLessThan(3);
  });

  it("reads a transposed matrix as the same weights", () => {
    const sizes = { outSize: 2, inSize: 3 };
    const straight = quantiseBlocks(Float32Array.from([1, 2, 3, 4, 5, 6]), { ...sizes, transposed: false });
    const turned = quantiseBlocks(Float32Array.from([1, 4, 2, 5, 3, 6]), { ...sizes, transposed: true });
    expect(turned).toEqual(straight);
  });

  it("errs in sum by no more than with levels over the whole span", () => {
    const column = fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(column, (numbers) => {
        const values = Float32Array.from(numbers);
        const matrix = quantiseBlocks(values, { outSize: 1, inSize: 32, transposed: false });
        const step = (Math.max(...values) - Math.min(...values)) / 15;
        const restored = restore(matrix, 1, 32);
        const squares = restored.reduce((sum, value, i) => sum + (value - (values[i] as number)) ** 2, 0);
        // half a step each; levels and offsets are rounded to float32
        expect(squares).toBeLessThanOrEqual(32 * (step / 2) ** 2 * 1.0001 + 1e-10);
      }),
      { seed: 5 },
    );
  });

  it("keeps blocks of one value, and takes the smallest numbers", () => {
    const restored = (value: number): number[] => {
      const values = new Float32Array(32).fill(value);
      return restore(quantiseBlocks(values, { outSize: 1, inSize: 32, transposed: false }), 1, 32);
    };
    for (const value of [0, 0.75, -3]) expect(restored(value)).toEqual(new Array(32).fill(value));
    expect(restored(1e-45).every(Number.isFinite)).toBe(true);
  });
});
