import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeHashedRows } from "../../../test/fakes/hashed-rows.ts";
import { ortNode } from "../../engine/runtime/ort-node.ts";
import { type CodedProducts, createCodedProducts } from "./coded-products.ts";

const WIDTH = 300;
const LEFT = 150; // more than are encoded at once
const RIGHT = 40;

let coded: CodedProducts;
beforeAll(() => {
  coded = createCodedProducts(ortNode, 1);
});
afterAll(async () => {
  await coded[Symbol.asyncDispose]();
});

describe("createCodedProducts", () => {
  const { features } = makeHashedRows(LEFT + RIGHT, WIDTH);
  const centred = features.map((value, at) => value - (at % WIDTH));
  const left = centred.subarray(0, LEFT * WIDTH);
  const right = centred.subarray(LEFT * WIDTH);
  left.fill(0, 0, WIDTH);
  for (let at = 3 * WIDTH; at < 4 * WIDTH; at++) left[at] = left[at]! * 1000;
  const factors = Float32Array.from({ length: WIDTH }, (_, j) => (j % 7 === 0 ? 0 : 0.1 * ((j % 5) - 2)));
  const ones = new Float32Array(WIDTH).fill(1);

  it("adds what rows times factors make with other rows, each row's codes on a scale of its own", async () => {
    const onto = Float32Array.from({ length: LEFT * RIGHT }, (_, at) => at % 11);
    const out = new Float32Array(LEFT * RIGHT);
    const transposed = new Float32Array(LEFT * RIGHT);
    const rows = await coded.encodeLeft(left, LEFT, WIDTH, factors, new Uint8Array(LEFT * WIDTH));
    await coded.multiply(rows, await coded.encodeRight(right, RIGHT, WIDTH, ones), onto, out, transposed);
    for (let i = 0; i < LEFT; i++) {
      for (let k = 0; k < RIGHT; k++) {
        let sum = 0;
        let leftSquares = 0;
        let rightSquares = 0;
        for (let j = 0; j < WIDTH; j++) {
          const own = left[i * WIDTH + j]! * factors[j]!;
          const other = right[k * WIDTH + j]!;
          sum += own * other;
          leftSquares += own ** 2;
          rightSquares += other ** 2;
        }
        const found = out[i * RIGHT + k]! - onto[i * RIGHT + k]!;
        // Steps of 1/63 and 1/127 of the largest: errors of some hundredths of each term add up at random.
        const bound = 0.05 * Math.sqrt((leftSquares * rightSquares) / WIDTH) + 1e-5;
        expect(Math.abs(found - sum)).toBeLessThan(4 * bound);
        expect(transposed[k * LEFT + i]).toBe(out[i * RIGHT + k]);
      }
    }
  });

  it("keeps codes below 128, where sums of two products fit 16 bits", async () => {
    const { codes, scales } = await coded.encodeLeft(left, LEFT, WIDTH, ones, new Uint8Array(LEFT * WIDTH));
    expect(codes.length).toBe(LEFT * WIDTH);
    expect(codes.every((code) => code >= 1 && code <= 127)).toBe(true);
    for (let i = 0; i < LEFT; i++) {
      const row = left.subarray(i * WIDTH, (i + 1) * WIDTH);
      const own = codes.subarray(i * WIDTH, (i + 1) * WIDTH);
      const worst = row.reduce((most, x, j) => Math.max(most, Math.abs((own[j]! - 64) * scales[i]! - x)), 0);
      expect(worst).toBeLessThanOrEqual(0.5001 * scales[i]!);
    }
  });

  it("leaves out what has a factor of zero, whatever its size", async () => {
    const some = Float32Array.from({ length: WIDTH }, (_, j) => (j === 5 ? 0 : 1));
    const peaked = right.map((value, at) => (at % WIDTH === 5 ? 1e6 : value));
    const known = await coded.encodeRight(right, RIGHT, WIDTH, some);
    const found = await coded.encodeRight(peaked, RIGHT, WIDTH, some);
    expect([...found.codes]).toEqual([...known.codes]);
    expect([...found.scales]).toEqual([...known.scales]);
  });
});
