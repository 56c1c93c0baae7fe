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
  { codes, scales, zeroPoints }: BlockQuantisedMatrix,
  outSize: number,
  inSize: number,
): number[] {
  const blocks = Math.ceil(inSize / INT4_BLOCK);
  const nibble = (bytes: Uint8Array, at: number): number =>
    ((bytes[at >> 1] as number) >> (4 * (at & 1))) & 15;
  return Array.from({ length: outSize * inSize }, (_, at) => {
    const [out, input] = [Math.floor(at / inSize), at % inSize];
    const block = out * blocks + Math.floor(input / INT4_BLOCK);
    const zeroPoint = nibble(zeroPoints, 2 * out * Math.ceil(blocks / 2) + Math.floor(input / INT4_BLOCK));
    const code = nibble(codes, block * INT4_BLOCK + (input % INT4_BLOCK));
    return (code - zeroPoint) * (scales[block] as number);
  });
}

describe("quantiseBlocks", () => {
  it("keeps what lies on sixteen levels around zero", () => {
    const values = Float32Array.from({ length: 2 * 32 }, (_, i) => ((i % 16) - 5) / 4);
    const matrix = quantiseBlocks(values, { outSize: 2, inSize: 32, transposed: false });
    expect([...matrix.scales]).toEqual([0.25, 0.25]);
    expect([...matrix.zeroPoints]).toEqual([5, 5]); // one block a row, in the lower half of a byte of its own
    expect([...matrix.codes.slice(0, 3)]).toEqual([0x10, 0x32, 0x54]); // the earlier code in the lower half
    expect(restore(matrix, 2, 32)).toEqual([...values]);
  });

  it("fills up a last block that is not full, without a trace in its scale", () => {
    const values = Float32Array.from({ length: 40 }, (_, i) => (i < 32 ? i % 16 : 8 * ((i % 16) - 3)));
    const matrix = quantiseBlocks(values, { outSize: 1, inSize: 40, transposed: false });
    expect(matrix.codes).toHaveLength(32);
    expect([...matrix.zeroPoints]).toHaveLength(1);
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

  it("errs in sum by no more than with levels over the whole span, and keeps zero exact", () => {
    const column = fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(column, (numbers) => {
        const values = Float32Array.from([...numbers.slice(0, 31), 0]);
        const restored = restore(
          quantiseBlocks(values, { outSize: 1, inSize: 32, transposed: false }),
          1,
          32,
        );
        expect(restored[31]).toBe(0);
        const step = (Math.max(0, ...values) - Math.min(0, ...values)) / 15;
        const squares = restored.reduce((sum, value, i) => sum + (value - (values[i] as number)) ** 2, 0);
        // half a step each, and half a step more where rounding the zero point moves the levels off an end
        expect(squares).toBeLessThanOrEqual(32 * step ** 2 * 1.0001);
      }),
      { seed: 5 },
    );
    const zeros = quantiseBlocks(new Float32Array(32), { outSize: 1, inSize: 32, transposed: false });
    expect(restore(zeros, 1, 32)).toEqual(new Array(32).fill(0));
    const tiny = quantiseBlocks(new Float32Array(32).fill(1e-45), {
      outSize: 1,
      inSize: 32,
      transposed: false,
    });
    expect(restore(tiny, 1, 32).every(Number.isFinite)).toBe(true);
  });
});
