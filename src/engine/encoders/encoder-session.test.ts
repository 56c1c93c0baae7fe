import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGraph, type Dimension, type OnnxType } from "../graph/graph.ts";
import { ortNode } from "../runtime/ort-node.ts";
import { type EncoderInput, openEncoderSession } from "./encoder-session.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-export-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** An export whose logits are the sums of a text's token ids and of its mask. */
async function exportModel(
  shape: readonly Dimension[],
  { type = "int64", extra = [] }: { readonly type?: OnnxType; readonly extra?: readonly string[] } = {},
): Promise<string> {
  const graph = createGraph("export");
  const ids = graph.input("input_ids", type, shape);
  const mask = graph.input("attention_mask", type, shape);
  for (const name of extra) graph.input(name, "int64", shape);
  const sums = [ids, mask].map((tensor) =>
    graph.add("ReduceSum", [graph.add("Cast", [tensor], { to: 1 }), graph.integers([1])], { keepdims: 1 }),
  );
  graph.addNamed("Concat", sums, ["logits"], { axis: 1 });
  graph.output("logits", "float32", ["batch", 2]);
  const path = join(await mkdtemp(join(folder, "model-")), "model.onnx");
  await writeFile(path, graph.serialize());
  return path;
}

const open = (path: string): ReturnType<typeof openEncoderSession> =>
  openEncoderSession(ortNode, path, { shown: path, threads: 1, outputs: ["logits"] });
const text = (...tokenIds: number[]): EncoderInput => ({ tokenIds, tokenTypes: tokenIds.map(() => 0) });

describe("an export", () => {
  it("gets what it asks for, padded to the longest text", async () => {
    await using session = await open(await exportModel(["batch", "sequence"]));
    expect(session.fixedLength).toBeNull();
    const { values, shape } = await session.run([text(1, 2, 3), text(7)]);
    expect(shape).toEqual([2, 2]);
    expect([...values]).toEqual([6, 3, 7, 1]);
  });

  it("with a fixed length is padded to that", async () => {
    await using session = await open(await exportModel(["batch", 6]));
    expect(session.fixedLength).toBe(6);
    expect([...(await session.run([text(1, 2)])).values]).toEqual([3, 2]);
  });

  it.each([
    [{ shape: [1, "sequence"] }, /input_ids as int64 \[1, sequence\].*dynamic axes/],
    [{ shape: ["batch", "sequence"], type: "int32" }, /input_ids as int32/],
    [{ shape: ["batch", "sequence"], extra: ["pixel_values"] }, /an input "pixel_values"/],
  ] as const)("of another kind is refused: %j", async ({ shape, ...options }, message) => {
    await expect(open(await exportModel(shape, options))).rejects.toMatchObject({
      code: "unsupported-model",
      message: expect.stringMatching(message) as string,
    });
  });
});
