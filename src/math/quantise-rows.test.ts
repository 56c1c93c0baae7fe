import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quantiseRows } from "./quantise-rows.ts";

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
