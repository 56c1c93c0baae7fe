import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { writeSafetensors } from "../store/safetensors.ts";
import { openHiddenStates } from "./hidden-states.ts";
import { readStateRowIndex, writeStateIndex } from "./state-index.ts";

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
    await expect(openHiddenStates(path)).rejects.toThrow(/no tensor with a name like/);
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
    expect(index.unitsOf("think-end", "q", 1)).toEqual([null]);
    expect(index.unitsOf("think-end", "q", 0)).toEqual([]);
    await writeFile(path, '{"position":"end","row":4,"question_id":"q","run_id":1}\n');
    await expect(readStateRowIndex(path)).rejects.toThrow(/line 1: position is "end"/);
  });

  it("finds a sample's rows by their spans", async () => {
    const path = join(folder, "index.jsonl");
    const key = { position: "last-token", question_id: "q", run_id: 0 } as const;
    await writeStateIndex(path, [
      { ...key, row: 0, span: [0, 4] },
      { ...key, row: 1, span: [4, 9], text_span: [7, 30], text: "It is so.", label: 1 },
      { position: "before-generation", row: 3, question_id: "q", run_id: null },
    ]);
    const index = await readStateRowIndex(path);
    expect(index.unitsOf("last-token", "q", 0)).toEqual([
      { span: [0, 4], textSpan: null, text: null, label: null },
      { span: [4, 9], textSpan: [7, 30], text: "It is so.", label: 1 },
    ]);
    expect(index.rowOf("last-token", "q", 0, [4, 9])).toBe(1);
    expect(index.rowOf("last-token", "q", 0)).toBe(-1);
    expect(index.rowOf("before-generation", "q", 0, [4, 9])).toBe(3);
  });
});
