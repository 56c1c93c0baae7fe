import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createFakeModel } from "../../../test/fakes/fake-model.ts";
import { createHubStage, type HubStage } from "../../../test/fakes/hub-stage.ts";
import { createConfigReader } from "../../engine/graph/config-reader.ts";
import { drain } from "../../net/map-concurrently.ts";
import { type LocateEncoderOptions, locateEncoder, readMaxTokens, type TokenLimits } from "./load-encoder.ts";

const SMALL = { "config.json": "{}", "tokenizer.json": "{ }", "tokenizer_config.json": "{  }" };
const EXPORTS = {
  "onnx/model.onnx": "plain",
  "onnx/model_O2.onnx": "optimised",
  "onnx/model_qint8_avx512_vnni.onnx": "vnni",
  "onnx/model_quint8_avx2.onnx": "avx2",
  "onnx/model_qint8_arm64.onnx": "arm",
};
const OTHERS = { "pytorch_model.bin": "x", "spm.model": "x", "README.md": "x", "openvino/model.bin": "x" };
const BOTH = createFakeModel("cross/both", {
  ...SMALL,
  ...EXPORTS,
  ...OTHERS,
  "model.safetensors": "weights",
});
const EXPORTED = createFakeModel("cross/exported", {
  ...SMALL,
  ...EXPORTS,
  ...OTHERS,
  "onnx/model.onnx_data": "more weights",
});
const SENTENCES = createFakeModel("org/sentences", {
  ...SMALL,
  "model.safetensors": "weights",
  "modules.json": "[]",
  "sentence_bert_config.json": "{}",
  "1_Pooling/config.json": "{}",
  "vocab.txt": "x",
});
const PYTORCH = createFakeModel("org/pytorch", { ...SMALL, ...OTHERS });

const locate = async (
  stage: HubStage,
  reference: string,
  options: Partial<LocateEncoderOptions> = {},
): Promise<string[]> => {
  const hub = { env: { ...stage.env, ...options.hub?.env } };
  const { path } = await drain(locateEncoder(reference, { use: "classify", ...options, hub }));
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ parentPath, name }) => join(parentPath, name).slice(path.length + 1))
    .sort();
};
const VNNI = { arch: "x64", flags: new Set(["avx512_vnni"]) };
const ARM = { arch: "arm64", flags: new Set<string>() };
const PLAIN = Object.keys(SMALL);

describe("downloads of a repository", () => {
  it.each([
    ["safetensors where there are any", BOTH, {}, ["model.safetensors"]],
    ["them for int8 too", BOTH, { dtype: "int8", cpu: VNNI }, ["model.safetensors"]],
    ["the export when it is asked for", BOTH, { weights: "onnx" }, ["onnx/model.onnx"]],
    [
      "the CPU's own file",
      BOTH,
      { weights: "onnx", dtype: "int8", cpu: VNNI },
      ["onnx/model_qint8_avx512_vnni.onnx"],
    ],
    ["another CPU's", EXPORTED, { dtype: "int8", cpu: ARM }, ["onnx/model_qint8_arm64.onnx"]],
    [
      "an export with its data, without safetensors",
      EXPORTED,
      {},
      ["onnx/model.onnx", "onnx/model.onnx_data"],
    ],
  ] as const)("%s", async (_name, model, options, weights) => {
    await using stage = await createHubStage([model]);
    expect(await locate(stage, model.id, options)).toEqual([...PLAIN, ...weights].sort());
    const requests = stage.fake.requests.length;
    // the second time nobody is asked
    await locate(stage, model.id, { ...options, hub: { env: { HF_HUB_OFFLINE: "1" } } });
    expect(stage.fake.requests).toHaveLength(requests);
  });

  it("sentence-transformers' own files for an embedder", async () => {
    await using stage = await createHubStage([SENTENCES]);
    expect(await locate(stage, SENTENCES.id, { use: "embed" })).toEqual(
      [
        ...PLAIN,
        "model.safetensors",
        "modules.json",
        "sentence_bert_config.json",
        "1_Pooling/config.json",
      ].sort(),
    );
  });

  it("what is missing of a copy that another use left", async () => {
    await using stage = await createHubStage([SENTENCES]);
    await locate(stage, SENTENCES.id);
    expect(await locate(stage, SENTENCES.id, { use: "embed" })).toContain("1_Pooling/config.json");
    await rm(join(stage.cacheOf(SENTENCES).snapshot(SENTENCES.refs.get("main") as string), "tokenizer.json"));
    expect(await locate(stage, SENTENCES.id)).toContain("tokenizer.json");
  });

  it("nothing that could run code", async () => {
    await using stage = await createHubStage([PYTORCH]);
    await expect(locate(stage, PYTORCH.id)).rejects.toMatchObject({
      code: "no-safetensors",
      message: expect.stringMatching(/no onnx\/model\.onnx.*PyTorch \(pytorch_model\.bin\)/) as string,
    });
    await expect(locate(stage, PYTORCH.id, { weights: "safetensors" })).rejects.toMatchObject({
      message: expect.not.stringContaining("onnx/") as string,
    });
    expect(stage.downloads()).toEqual([]);
  });
});

const read = (config: object, limits: Partial<TokenLimits> = {}): number =>
  readMaxTokens({
    config: createConfigReader("config.json", { ...config }),
    tokenizer: {},
    positions: null,
    asked: [],
    ...limits,
  });

it("is the smallest of all limits that are stated", () => {
  expect(read({ max_position_embeddings: 512 })).toBe(512);
  expect(read({ max_position_embeddings: 514 }, { tokenizer: { model_max_length: 512 } })).toBe(512);
  expect(read({ max_position_embeddings: 512 }, { tokenizer: { model_max_length: 1e30 } })).toBe(512);
  // RoBERTa's positions begin behind its padding token
  expect(read({ max_position_embeddings: 514 }, { positions: 512 })).toBe(512);
  expect(read({ max_position_embeddings: 512 }, { asked: [null, 256, undefined] })).toBe(256);
});

it("is refused where nothing states it, or no text would fit", () => {
  const refusal = (code: string): Error => expect.objectContaining({ code }) as Error;
  expect(() => read({})).toThrow(refusal("bad-checkpoint"));
  for (const asked of [7, 12.5])
    expect(() => read({ max_position_embeddings: 512 }, { asked: [asked] })).toThrow(refusal("bad-option"));
});
