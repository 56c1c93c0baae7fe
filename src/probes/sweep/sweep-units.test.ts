import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createRng } from "../../math/rng.ts";
import { writeSafetensors } from "../../store/safetensors.ts";
import { fitProbes } from "./fit-probes-node.ts";
import type { FittedProbes } from "./sweep-probes.ts";
import type { FileFeatures, ProbeFeatures } from "./sweep-units.ts";

const WIDTH = 6;
const LAYERS = 2;
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-stacked-"));
});
afterAll(() => rm(root, { recursive: true }));

/** [rows of the file, WIDTH] of each layer, in a file; taken in another order, one row not at all. */
async function makePart(
  name: string,
  count: number,
): Promise<{ part: FileFeatures; layers: Float32Array[] }> {
  const path = join(root, `${name}.safetensors`);
  const rng = createRng("stacked", name);
  const states = Array.from({ length: LAYERS }, () =>
    Float32Array.from({ length: count * WIDTH }, () => rng.next()),
  );
  await writeSafetensors(
    path,
    states.map((data, layer) => ({
      name: `think-end.layer.${layer}`,
      dtype: "F32" as const,
      shape: [count, WIDTH],
      data,
    })),
    {},
  );
  const rows = Int32Array.from({ length: count - 1 }, (_, i) => count - 1 - i);
  const layers = states.map((data) =>
    Float32Array.from([...rows].flatMap((row) => [...data.subarray(row * WIDTH, (row + 1) * WIDTH)])),
  );
  return { part: { path, stateRows: { "think-end": rows } }, layers };
}

it("fits the same probes as on the same states in one array, row for row", async () => {
  const one = await makePart("one", 31);
  const two = await makePart("two", 41);
  const joined = one.layers.map((data, layer) => Float32Array.from([...data, ...two.layers[layer]!]));
  const rng = createRng("labels");
  const labels = Array.from({ length: 70 }, (_, row) =>
    joined[1]![row * WIDTH]! + 0.3 * rng.next() > 0.6 ? 1 : 0,
  );
  const questions = labels.map((_, row) => `q${row >> 1}`);
  const fitOn = async (features: ProbeFeatures): Promise<FittedProbes> => {
    const fitting = fitProbes(features, { wrong: { labels } }, questions, { c: 1, workers: 1 });
    let step = await fitting.next();
    while (!step.done) step = await fitting.next();
    return step.value;
  };
  const stacked = (await fitOn({ parts: [one.part, two.part] })).targets.wrong!.best!;
  const plain = (await fitOn({ layersAt: { "think-end": joined } })).targets.wrong!.best!;
  expect(stacked.layer).toBe(1);
  expect(stacked).toEqual(plain);
});

it("keeps to the rows that have the position", async () => {
  const one = await makePart("some", 21);
  const two = await makePart("all", 21);
  one.part.stateRows["think-end"]!.fill(-1, 0, 5);
  const labels = Array.from({ length: 40 }, (_, row) => row % 2);
  const questions = labels.map((_, row) => `q${row}`);
  const fitting = fitProbes({ parts: [one.part, two.part] }, { wrong: { labels } }, questions, {
    c: 1,
    workers: 1,
    position: "think-end",
  });
  let step = await fitting.next();
  while (!step.done) step = await fitting.next();
  const { rows } = step.value.targets.wrong!.best!;
  expect([...rows]).toEqual(Array.from({ length: 35 }, (_, i) => i + 5));
});
