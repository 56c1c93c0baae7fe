import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectAllClose } from "../../../test/expect-all-close.ts";
import golden from "../../../test/golden/sentences.json" with { type: "json" };
import { loadTextEmbedder } from "./load-text-embedder.ts";

const folder = (name: string): string =>
  fileURLToPath(new URL(`../../../test/golden/sentences/${name}`, import.meta.url));

/** float32 sums in another order than PyTorch's, on vectors of length 1. */
const TOLERANCE = 1e-5;

it.each(["mean", "cls"] as const)("pools by %s as sentence-transformers does", async (name) => {
  await using model = await loadTextEmbedder(folder(name));
  const embedded = await model.embed(golden.texts);
  expect(model.provenance).toMatchObject({ pooling: name, max_tokens: 24 });
  for (const [index, { vector }] of embedded.entries()) {
    expectAllClose(vector, golden.vectors[name][index]!, TOLERANCE);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
  }
  expect(embedded.map(({ truncated }) => truncated)).toEqual([false, false, false, false, true, false]);
});

describe("reads sentence-transformers' files", () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "sep-sentences-"));
  });
  afterAll(() => rm(root, { recursive: true, force: true }));

  /** A copy of the golden model in which one file's fields are changed, or the file removed. */
  async function change(file: string, edit: ((fields: object) => unknown) | null): Promise<string> {
    const target = await mkdtemp(join(root, "model-"));
    await cp(folder("mean"), target, { recursive: true });
    const path = join(target, file);
    if (edit === null) await rm(path);
    else await writeFile(path, JSON.stringify(edit(JSON.parse(await readFile(path, "utf8")) as object)));
    return target;
  }

  it.each([
    [
      "modules.json",
      (list: object) => [...(list as object[]), { type: "x.Dense" }],
      /"x\.Dense".*implements Transformer/,
    ],
    ["1_Pooling/config.json", () => ({ pooling_mode: "max" }), /"pooling_mode" is "max"/],
    [
      "1_Pooling/config.json",
      () => ({ pooling_mode_max_tokens: true }),
      /the pooling is pooling_mode_max_tokens/,
    ],
    [
      "config_sentence_transformers.json",
      () => ({ default_prompt_name: "query" }),
      /"default_prompt_name" is "query"/,
    ],
    ["sentence_bert_config.json", () => ({ do_lower_case: true }), /"do_lower_case" is true/],
  ])("and refuses what it does not compute in %s", async (file, edit, message) => {
    await expect(loadTextEmbedder(await change(file, edit))).rejects.toMatchObject({
      code: "unsupported-model",
      message: expect.stringMatching(message) as string,
    });
  });

  it("and takes the mean where there are none", async () => {
    const bare = await change("modules.json", null);
    await rm(join(bare, "1_Pooling"), { recursive: true });
    await using model = await loadTextEmbedder(bare);
    const [{ vector } = { vector: [] }] = await model.embed(golden.texts.slice(0, 1));
    expectAllClose(vector, golden.vectors.mean[0]!, TOLERANCE);
  });
});
