import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { type ProbeDataset, readProbeDataset, writeProbeDataset } from "../probes/probe-dataset.ts";
import { writeNpz } from "../store/npz.ts";
import { writeSafetensors } from "../store/safetensors.ts";
import { openHiddenStates } from "./hidden-states.ts";
import { readStateRowIndex } from "./hidden-states-index.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-states-"));
});

const tensor = (name: string, shape: readonly number[], first: number) => ({
  name,
  dtype: "F32" as const,
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => first + i),
});

describe("openHiddenStates", () => {
  it("reads rows of any traced layer, repeats included", async () => {
    const path = join(folder, "states.safetensors");
    const tensors = [tensor("last-token.layer.2", [3, 2], 0), tensor("last-token.layer.10", [3, 2], 100)];
    await writeSafetensors(path, tensors, { model: "m" });
    const hidden = await openHiddenStates(path);
    expect(hidden).toMatchObject({
      width: 2,
      layers: [2, 10],
      positions: ["last-token"],
      metadata: { model: "m" },
    });
    expect(hidden.rowCount("last-token")).toBe(3);
    expect([...(await hidden.read("last-token", 10, [2, 0, 2]))]).toEqual([104, 105, 100, 101, 104, 105]);
    await expect(hidden.read("last-token", 3, [0])).rejects.toThrow(/Layer 3 at last-token .* layers 2, 10/);
    await expect(hidden.read("think-end", 2, [0])).rejects.toMatchObject({ code: "bad-option" });
  });

  it("refuses files without hidden states, or with layers that do not agree", async () => {
    const path = join(folder, "states.safetensors");
    await writeSafetensors(path, [tensor("other", [1, 2], 0)]);
    await expect(openHiddenStates(path)).rejects.toThrow(/no tensor named like/);
    await writeSafetensors(path, [
      tensor("think-end.layer.0", [3, 2], 0),
      tensor("think-end.layer.1", [2, 2], 0),
    ]);
    await expect(openHiddenStates(path)).rejects.toThrow(
      /"think-end.layer.1" has shape \[2,2\], expected \[3, 2\]/,
    );
  });
});

describe("readStateRowIndex", () => {
  it("finds a sample's row, or its question's", async () => {
    const path = join(folder, "index.jsonl");
    await writeFile(
      path,
      '{"position":"think-end","row":4,"question_id":"q","run_id":1}\n' +
        '{"position":"before-generation","row":7,"question_id":"q","run_id":null}\n',
    );
    const index = await readStateRowIndex(path);
    expect(index.rowOf("think-end", "q", 1)).toBe(4);
    expect(index.rowOf("think-end", "q", 0)).toBe(-1);
    expect(index.rowOf("before-generation", "q", 0)).toBe(7);
    await writeFile(path, '{"position":"end","row":4,"question_id":"q","run_id":1}\n');
    await expect(readStateRowIndex(path)).rejects.toThrow(/line 1: position is "end"/);
  });
});

describe("probe data sets", () => {
  const dataset: ProbeDataset = {
    position: "think-end",
    layer: 3,
    width: 2,
    X: Float32Array.of(1, 2, 3, 4),
    correct: Uint8Array.of(1, 0),
    meanThinkEntropy: Float64Array.of(0.25, Number.NaN),
    semanticEntropy: Float64Array.of(0.5, 0.75),
    discreteSemanticEntropy: Float64Array.of(0, Math.log(2)),
    questionIds: ["q1", "q2 ∑"],
    questionGroups: ["q1", "q1"],
    runIds: Int32Array.of(0, 9),
    stateRows: { "think-end": Int32Array.of(5, -1), "before-generation": Int32Array.of(0, 1) },
  };

  it("come back as they were written", async () => {
    const path = join(folder, "math_train.npz");
    await writeProbeDataset(path, dataset);
    expect(await readProbeDataset(path)).toEqual(dataset);
  });

  it("name the key that is missing or too long", async () => {
    const path = join(folder, "broken.npz");
    await writeNpz(path, { X_hidden: { dtype: "f4", shape: [1, 1], data: Float32Array.of(1) } });
    await expect(readProbeDataset(path)).rejects.toThrow(/"question_ids" is missing/);
    await writeNpz(path, {
      X_hidden: { dtype: "f4", shape: [1, 1], data: Float32Array.of(1) },
      question_ids: { dtype: "U", shape: [1], data: ["q"] },
      position: { dtype: "U", shape: [1], data: ["think-end"] },
      layer: { dtype: "i4", shape: [1], data: Int32Array.of(1) },
      y_correct: { dtype: "i4", shape: [2], data: Int32Array.of(1, 0) },
    });
    await expect(readProbeDataset(path)).rejects.toThrow(/"y_correct" has 2 rows, "question_ids" has 1/);
  });
});
