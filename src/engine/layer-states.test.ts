import { describe, expect, it } from "vitest";
import { memoryOf, releaseStates, roomForStates } from "./layer-states.ts";

// 2 layers of 2 MB
const [LAYERS, TOKENS, WIDTH] = [2, 1000, 500];

describe("room for states", () => {
  it("is memory that was released, and never memory that is in use", () => {
    const first = roomForStates(LAYERS, TOKENS, WIDTH);
    expect(first.map(({ length }) => length)).toEqual([TOKENS * WIDTH, TOKENS * WIDTH]);
    for (const [l, layer] of first.entries()) layer.fill(l + 1);
    const inUse = roomForStates(LAYERS, TOKENS, WIDTH);
    expect(memoryOf(inUse)[0] === memoryOf(first)[0]).toBe(false);
    for (const layer of inUse) layer.fill(7);
    releaseStates(first);
    expect(first.map(({ length }) => length)).toEqual([0, 0]);

    const again = roomForStates(LAYERS, TOKENS - 10, WIDTH);
    expect(again.map((layer) => layer[0])).toEqual([1, 1]); // the second layer begins where the first one was
    for (const layer of again) layer.fill(9);
    const fresh = roomForStates(LAYERS, TOKENS, WIDTH);
    expect(fresh.flatMap((layer) => [...layer.subarray(0, 2)])).toEqual([0, 0, 0, 0]);
    expect(inUse.every((layer) => layer.every((value) => value === 7))).toBe(true);
    releaseStates([...again, ...inUse, ...fresh]);
  });

  it("is fresh where what was released is too small, or where little is needed", () => {
    releaseStates(roomForStates(LAYERS, TOKENS, WIDTH).map((layer) => layer.fill(3)));
    const larger = roomForStates(LAYERS, 4 * TOKENS, WIDTH);
    const small = roomForStates(LAYERS, 1, WIDTH);
    for (const layer of [...larger, ...small]) expect(layer.every((value) => value === 0)).toBe(true);
    expect(memoryOf(small).map(({ byteLength }) => byteLength)).toEqual([LAYERS * WIDTH * 4]);
  });
});
