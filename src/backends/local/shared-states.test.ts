import { describe, expect, it } from "vitest";
import { createSharedMemory, returnStates, shareStates } from "./shared-states.ts";

const layersOf = (...numbers: number[][]): Float32Array[] => numbers.map((each) => Float32Array.from(each));

describe("shared states", () => {
  it("are copies, side by side in one piece of memory", () => {
    const states = [layersOf([1, 2, 3, 4], [5, 6, 7, 8]), [], layersOf([], []), layersOf([9, 10], [11, 12])];
    const { copy, memory } = shareStates(states, createSharedMemory());
    expect(copy).toEqual(states);
    for (const array of copy.flat()) expect(array.buffer).toBe(memory);
    states[0]![0]!.fill(-1);
    expect(copy[0]).toEqual(layersOf([1, 2, 3, 4], [5, 6, 7, 8]));
  });

  it("are gone from their lists once their memory is given back", () => {
    const { copy } = shareStates([layersOf([1], [2]), layersOf([3], [4])], createSharedMemory());
    returnStates(copy);
    expect(copy).toEqual([[], []]);
    returnStates(copy); // gives nothing back twice
  });
});

describe("shared memory", () => {
  it("is what was kept and suffices, the smallest first, and never what is in use", () => {
    const shared = createSharedMemory();
    const [small, large] = [shared.take(100), shared.take(1000)];
    expect(small.byteLength).toBeGreaterThanOrEqual(100);
    shared.keep(large);
    shared.keep(small);
    expect(shared.take(90)).toBe(small);
    expect(shared.take(90)).toBe(large);
    const fresh = shared.take(90);
    expect([small, large]).not.toContain(fresh);
    shared.keep(small);
    expect(shared.take(10_000)).not.toBe(small);
    expect(shared.take(100)).toBe(small);
  });

  it("is let go of when there is much more than is in use at a time", () => {
    const shared = createSharedMemory();
    const pieces = Array.from({ length: 9 }, (_, i) => shared.take(100 * (i + 1)));
    for (const piece of pieces) shared.keep(piece);
    const again = pieces.map(() => shared.take(1));
    expect(again.filter((piece) => pieces.includes(piece))).toEqual(pieces.slice(-3));
  });
});
