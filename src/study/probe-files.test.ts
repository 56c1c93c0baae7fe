import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { makeFamiliarity, makeProbe } from "../../test/fakes/make-probe.ts";
import { makeRun } from "../../test/fakes/make-run.ts";
import { assembleDataset, joinRows, selectRows } from "../probes/assemble-dataset.ts";
import type { Probe } from "../probes/probe.ts";
import type { ProbeDataset } from "../probes/probe-dataset.ts";
import type { HiddenStates } from "../states/hidden-states.ts";
import { readStateRowIndex, writeStateIndex } from "../states/state-index.ts";
import { readNpz, writeNpz } from "../store/array-file.ts";
import {
  loadProbe,
  readProbeDataset,
  readProbeFile,
  saveProbe,
  weightsPathOf,
  writeProbeDataset,
} from "./probe-files.ts";

const probe: Probe = makeProbe();

describe("probe files", () => {
  let path: string;
  beforeEach(async () => {
    path = join(await mkdtemp(join(tmpdir(), "sep-probe-")), "accuracy_probe.json");
  });

  it("come back as they were saved", async () => {
    await saveProbe(path, probe);
    expect(await loadProbe(path)).toEqual(probe);
    const knowing = makeProbe({ familiarity: makeFamiliarity(2) });
    await saveProbe(path, knowing);
    expect(await loadProbe(path)).toEqual(knowing);
    const { familiarity } = JSON.parse(await readFile(path, "utf8"));
    expect(familiarity).toEqual({
      level: 0.05,
      residual_variance: 0.25,
      shrinkage: 0.125,
      training_questions: 12,
      validation_questions: 3,
    });
  });

  it("say why a probe could not be trained", async () => {
    const warnings = [{ code: "one-class", message: "All labels are 0." }];
    await saveProbe(path, { kind: "untrained", target: "incorrect", warnings });
    expect(await readProbeFile(path)).toEqual({ kind: "untrained", target: "incorrect", warnings });
    await expect(loadProbe(path)).rejects.toThrow(/could not be trained: All labels are 0/);
  });

  it("refuse weights that are not theirs, other JSON and a missing file", async () => {
    await saveProbe(path, probe);
    const bytes = await readFile(weightsPathOf(path));
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(weightsPathOf(path), bytes);
    await expect(loadProbe(path)).rejects.toMatchObject({ code: "bad-artifact" });
    await writeFile(path, '{"format": "x", "version": 1}');
    await expect(loadProbe(path)).rejects.toThrow(/format "x"/);
    await writeFile(path, "{");
    await expect(loadProbe(path)).rejects.toThrow(/not valid JSON/);
    await expect(loadProbe(`${path}.none`)).rejects.toMatchObject({ code: "missing-input" });
  });
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-datasets-"));
});

describe("probe data sets", () => {
  const dataset: ProbeDataset = {
    position: "think-end",
    label: "final-incorrect",
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
    expect(Object.keys(await readNpz(path))).not.toContain("row_spans");
  });

  it("keep the spans of a place with many tokens per answer", async () => {
    const path = join(folder, "math_train.npz");
    const many = { ...dataset, spans: Int32Array.of(0, 4, 4, 9) };
    await writeProbeDataset(path, many);
    expect(await readProbeDataset(path)).toEqual(many);
    expect(selectRows(many, [1]).spans).toEqual(Int32Array.of(4, 9));
    expect(joinRows(many, many).spans).toHaveLength(8);
  });

  it("have a row per span", async () => {
    const X = Float32Array.of(1, 2, 3);
    const hidden = {
      width: 1,
      positions: ["last-token", "before-generation"],
      read: async (_place: string, _layer: number, rows: ArrayLike<number>) =>
        Float32Array.from(rows, (row) => X[row]!),
    } as unknown as HiddenStates;
    const key = { position: "last-token", question_id: "q1", run_id: 0 } as const;
    const path = join(folder, "index.jsonl");
    await writeStateIndex(path, [
      { ...key, row: 0, span: [0, 2] },
      { ...key, row: 1, span: [2, 5] },
      { position: "before-generation", row: 0, question_id: "q1", run_id: null },
    ]);
    const run = makeRun({ question_id: "q1", run_id: 0, is_correct: true });
    const { dataset: built } = await assembleDataset([run], hidden, await readStateRowIndex(path), null, {
      position: "last-token",
      layer: 1,
      groupOf: new Map(),
    });
    expect(built).toMatchObject({
      X: Float32Array.of(1, 2),
      correct: Uint8Array.of(1, 1),
      questionIds: ["q1", "q1"],
      spans: Int32Array.of(0, 2, 2, 5),
      stateRows: { "last-token": Int32Array.of(0, 1), "before-generation": Int32Array.of(0, 0) },
    });
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
