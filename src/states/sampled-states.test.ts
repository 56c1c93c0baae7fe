import { appendFile, mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepSampledStates, openSampledStates, removeSampledStates, stateKey } from "./sampled-states.ts";

const SETTINGS = { model: "m", layers: [0, 1] };

let folder: string;
let output: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-sampled-"));
  output = join(folder, "artifacts", "math_hidden_states.safetensors");
});
afterEach(() => rm(folder, { recursive: true }));

const add = async (
  states: Readonly<Record<string, readonly number[]>>,
  settings = SETTINGS,
): Promise<void> => {
  await using writer = await keepSampledStates(output, settings, 2);
  await writer.add(Object.entries(states).map(([key, row]) => ({ key, residual: Float32Array.from(row) })));
};

async function readAll(keys: readonly string[], settings = SETTINGS): Promise<(number[] | null)[]> {
  await using states = await openSampledStates(output, settings, 2);
  const rows: (number[] | null)[] = [];
  for (const key of keys) rows.push(states.has(key) ? [...(await states.read(key))] : null);
  return rows;
}

describe("sampled states", () => {
  it("are kept over several writers, each once", async () => {
    expect(await readAll(["a"])).toEqual([null]);
    await add({ a: [1, 2], b: [3, 4] });
    await add({ b: [9, 9], c: [5, 6] });
    expect(await readAll(["a", "b", "c", "d"])).toEqual([[1, 2], [3, 4], [5, 6], null]);
  });

  it("are on disk when a call returns, also one whose states another call is just writing", async () => {
    await using writer = await keepSampledStates(output, SETTINGS, 2);
    const large = Array.from({ length: 50 }, (_, i) => ({ key: `k${i}`, residual: Float32Array.of(i, -i) }));
    const first = writer.add(large);
    await writer.add(large.slice(-1));
    expect(await readAll(["k49"])).toEqual([[49, -49]]);
    await first;
  });

  it("of other settings are neither read nor kept", async () => {
    await add({ a: [1, 2] });
    const other = { ...SETTINGS, layers: [1, 2] };
    expect(await readAll(["a"], other)).toEqual([null]);
    await add({ b: [3, 4] }, other);
    expect(await readAll(["a"])).toEqual([null]);
    expect(await readAll(["a", "b"], other)).toEqual([null, [3, 4]]);
  });

  it("survive a line that was not finished, and rows that a loss of power took", async () => {
    await add({ a: [1, 2], b: [3, 4] });
    await appendFile(`${output}.sampled.jsonl`, '{"key":"c","row":2');
    expect(await readAll(["a", "b", "c"])).toEqual([[1, 2], [3, 4], null]);
    await add({ c: [5, 6] });
    expect(await readAll(["c"])).toEqual([[5, 6]]);
    await truncate(`${output}.sampled`, 8);
    expect(await readAll(["a", "b", "c"])).toEqual([[1, 2], null, null]);
  });

  it("leave nothing behind", async () => {
    await add({ a: [1, 2] });
    await removeSampledStates(output);
    expect(await readdir(join(folder, "artifacts"))).toEqual([]);
  });

  it("belong to the tokens up to their own, and to their order", () => {
    expect(stateKey([1, 2, 3, 4], 2)).toBe(stateKey([1, 2, 3], 2));
    const keys = [stateKey([1, 2, 3], 1), stateKey([1, 2, 3], 2), stateKey([2, 1, 3], 2), stateKey([513], 0)];
    expect(new Set([...keys, stateKey([1, 2], 0)]).size).toBe(5);
  });
});
