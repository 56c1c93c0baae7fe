import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeCheckpoint } from "./describe-checkpoint.ts";

const golden = (name: string): string =>
  fileURLToPath(new URL(`../../test/golden/checkpoints/${name}`, import.meta.url));

it("counts numbers over all shards", async () => {
  const { parameters, dtypes, config, obstacle } = await describeCheckpoint(golden("llama-tied-f16-sharded"));
  expect(obstacle).toBeNull();
  expect(config?.blockCount).toBe(3);
  // embeddings 264 x 48, 3 blocks of 4 x 48 x 48 + 3 x 48 x 80 + 2 norms of 48, and the last norm
  const expected = 264 * 48 + 3 * (4 * 48 * 48 + 3 * 48 * 80 + 2 * 48) + 48;
  expect(parameters).toBe(expected);
  expect(dtypes).toEqual({ F16: expected });
});

describe("a GGUF file", () => {
  const gguf = (name: string): string =>
    fileURLToPath(new URL(`../../test/golden/gguf/${name}`, import.meta.url));

  it.each([
    ["llama-k.gguf", "llama", 2],
    ["qwen3-mixed.gguf", "qwen3", 2],
    ["gpt2.gguf", "gpt2", 1],
  ])("%s is described by its header", async (name, modelType, blockCount) => {
    const { files, dtypes, parameters, ...described } = await describeCheckpoint(gguf(name));
    expect(described).toMatchObject({ modelType, obstacle: null, config: { blockCount } });
    expect(files).toEqual([{ name, sizeBytes: expect.any(Number) }]);
    expect(Object.values(dtypes).reduce((sum, count) => sum + count, 0)).toBe(parameters);
    expect(parameters).toBeGreaterThan(1000);
  });

  it("that is none says what is in the way", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sep-describe-"));
    const path = join(folder, "bad.gguf");
    await writeFile(path, "hi");
    expect(await describeCheckpoint(path)).toMatchObject({
      modelType: null,
      obstacle: expect.stringContaining("is not a whole GGUF file"),
      files: [{ name: "bad.gguf", sizeBytes: 2 }],
    });
    await rm(folder, { recursive: true });
  });
});

describe("a folder", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "sep-describe-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it.each([
    ["without a config", {}, null, "config.json is missing"],
    ["with a damaged config", { "config.json": "{" }, null, "is not valid JSON"],
    ["with an unknown model", { "config.json": '{"model_type":"mamba"}' }, "mamba", 'model_type "mamba"'],
    [
      "with a config that says nothing",
      { "config.json": "{}" },
      null,
      'config.json: "model_type" is missing',
    ],
  ])("%s says what is in the way", async (_name, files, modelType, obstacle) => {
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    expect(await describeCheckpoint(folder)).toMatchObject({
      modelType,
      obstacle: expect.stringContaining(obstacle),
      parameters: null,
    });
  });

  it.each([
    ["---\nlicense: apache-2.0\n---\n", "apache-2.0"],
    ['---\r\ntags:\r\n- a\r\nlicense: "mit"\r\n---\r\n', "mit"],
    ["---\nlicense: other\nlicense_name: llama3\n---\n# license: no\n", "llama3"],
    ["---\ntags: []\n---\nlicense: mit\n", null],
    ["# A model\nlicense: mit\n", null],
  ])("with the README %j has the license %s", async (readme, license) => {
    await writeFile(join(folder, "README.md"), readme);
    expect((await describeCheckpoint(folder)).license).toBe(license);
  });
});
