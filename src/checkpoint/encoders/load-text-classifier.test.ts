import { copyFile, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectAllClose, scaleOf } from "../../../test/expect-all-close.ts";
import golden from "../../../test/golden/nli.json" with { type: "json" };
import { buildEncoder } from "../../engine/encoders/build-encoder.ts";
import { findEncoderArchitecture } from "../../engine/encoders/registry.ts";
import { createConfigReader } from "../../engine/graph/config-reader.ts";
import { readJsonFile } from "../read-json-file.ts";
import { readWeightIndex } from "../weight-index.ts";
import type { LoadEncoderOptions } from "./load-encoder.ts";
import { loadTextClassifier } from "./load-text-classifier.ts";
import type { Processor } from "./quantised-exports.ts";

const folder = (name: string): string =>
  fileURLToPath(new URL(`../../../test/golden/nli/${name}`, import.meta.url));
const PAIRS = golden.pairs as [string, string][];
const AVX2: Processor = { arch: "x64", flags: new Set(["avx2"]) };
const ARM: Processor = { arch: "arm64", flags: new Set() };

/** float32 sums in another order than PyTorch's. */
const RELATIVE_TOLERANCE = 1e-5;
/** Eight bits in layers as narrow as 24. */
const INT8_TOLERANCE = 0.1;
/** A rounding that falls to the other side moves an activation by a step of its eight bits. */
const QUANTISED_TOLERANCE = 0.02;

async function classify(name: string, options: LoadEncoderOptions = {}) {
  await using classifier = await loadTextClassifier(folder(name), options);
  return { classifier, results: await classifier.classify(PAIRS) };
}

const flat = (results: readonly { readonly logits: Float32Array }[]): number[] =>
  results.flatMap(({ logits }) => [...logits]);

describe("a safetensors checkpoint", () => {
  it("gives pairs of texts transformers' logits, and says which were cut", async () => {
    const { classifier, results } = await classify("deberta");
    const expected = golden.logits.deberta.flat();
    expectAllClose(flat(results), expected, RELATIVE_TOLERANCE * scaleOf(expected));
    expect(results.map(({ truncated }) => truncated)).toEqual([
      false,
      false,
      false,
      false,
      false,
      true,
      true,
    ]);
    expect(classifier.labels).toEqual(["contradiction", "entailment", "neutral"]);
    expect(classifier.provenance).toMatchObject({
      id: folder("deberta"),
      revision: null,
      file: "model.safetensors",
      dtype: "float32",
      max_tokens: 48,
      weights_sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
  });

  it("gives each pair the same wherever it stands, and computes equal ones once", async () => {
    await using classifier = await loadTextClassifier(folder("deberta"));
    const alone = [];
    for (const pair of PAIRS) alone.push(...(await classifier.classify([pair])));
    const twice = await classifier.classify([...PAIRS.toReversed(), ...PAIRS]);
    expect(twice[0]).toBe(twice.at(-1));
    const expected = flat(alone);
    expectAllClose(flat(twice.slice(PAIRS.length)), expected, RELATIVE_TOLERANCE * scaleOf(expected));
    expect(await classifier.classify([])).toEqual([]);
  });

  it("in int8 is near", async () => {
    const { classifier, results } = await classify("deberta", { dtype: "int8" });
    const expected = golden.logits.deberta.flat();
    expectAllClose(flat(results), expected, INT8_TOLERANCE * scaleOf(expected));
    expect(flat(results)).not.toEqual(expected.map(Math.fround));
    expect(classifier.provenance.dtype).toBe("int8");
  });

  it("takes a shorter limit than its own, and none below its own tokens", async () => {
    await using classifier = await loadTextClassifier(folder("deberta"), { maxTokens: 12 });
    expect((await classifier.classify(PAIRS)).map(({ truncated }) => truncated)).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
      true,
    ]);
    await expect(loadTextClassifier(folder("deberta"), { maxTokens: 3 })).rejects.toMatchObject({
      code: "bad-option",
    });
  });

  it("stops between batches when it is told to", async () => {
    await using classifier = await loadTextClassifier(folder("deberta"));
    const abort = new AbortController();
    const many = Array.from({ length: 200 }, (_, i): [string, string] => [`a ${i}`, `b ${i}`]);
    const running = classifier.classify(many, { signal: abort.signal });
    setImmediate(() => abort.abort());
    await expect(running).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("an export to ONNX", () => {
  it("is taken where there are no safetensors weights", async () => {
    const { classifier, results } = await classify("exported");
    const expected = golden.logits.model.flat();
    expectAllClose(flat(results), expected, RELATIVE_TOLERANCE * scaleOf(expected));
    expect(classifier.provenance.file).toBe("onnx/model.onnx");
    expect(classifier.labels).toEqual(["ENTAILMENT", "NOT_ENTAILMENT"]);
  });

  it.each([
    ["x64 with AVX2", AVX2, "model_quint8_avx2"],
    ["arm64", ARM, "model_qint8_arm64"],
  ] as const)("in int8 is the quantised file for %s", async (_name, processor, file) => {
    await using classifier = await loadTextClassifier(folder("exported"), { dtype: "int8", processor });
    expect(classifier.provenance.file).toBe(`onnx/${file}.onnx`);
    const expected = golden.logits[file].flat();
    // such exports scale a batch's activations together: the golden ran each pair alone, and so must we
    const results = await classifier.classify(PAIRS);
    expectAllClose(flat(results), expected, QUANTISED_TOLERANCE * scaleOf(expected));
    expect(flat(await classifier.classify(PAIRS.slice(2)))).toEqual(flat(results.slice(2)));
  });
});

/** A folder with the DeBERTa of the goldens as an export whose weights lie beside it, both links as in the hub's cache. */
async function exportWithData(root: string): Promise<string> {
  const source = folder("deberta");
  const blobs = join(root, "blobs");
  const target = join(root, "snapshot");
  await mkdir(join(target, "onnx"), { recursive: true });
  await mkdir(blobs);
  for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json"])
    await copyFile(join(source, name), join(target, name));
  const config = createConfigReader("config.json", await readJsonFile(join(source, "config.json")));
  const architecture = findEncoderArchitecture(config);
  const weights = await readWeightIndex(source);
  const beside = new Map(
    [...weights].map(([name, weight]) => [name, { ...weight, file: "/x/model.onnx_data" }] as const),
  );
  const graph = buildEncoder(architecture, architecture.readConfig(config), beside, { labelCount: 3 });
  await writeFile(join(blobs, "a"), graph.model);
  await copyFile(join(source, "model.safetensors"), join(blobs, "b"));
  await symlink("../../blobs/a", join(target, "onnx/model.onnx"));
  await symlink("../../blobs/b", join(target, "onnx/model.onnx_data"));
  return target;
}

it("an export whose weights lie beside it is read through links", async () => {
  const root = await mkdtemp(join(tmpdir(), "sep-export-"));
  try {
    await using classifier = await loadTextClassifier(await exportWithData(root));
    const expected = golden.logits.deberta.flat();
    expectAllClose(flat(await classifier.classify(PAIRS)), expected, RELATIVE_TOLERANCE * scaleOf(expected));
    expect(classifier.provenance.file).toBe("onnx/model.onnx");
  } finally {
    await rm(root, { recursive: true });
  }
});

describe("refuses", () => {
  let copy: string;
  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), "sep-encoder-"));
  });
  afterAll(() => rm(copy, { recursive: true, force: true }));

  /** A copy of a golden folder, with some of its config changed. */
  async function change(name: string, fields: Record<string, unknown> = {}): Promise<string> {
    const target = await mkdtemp(join(copy, "model-"));
    await cp(folder(name), target, { recursive: true });
    const config = JSON.parse(await readFile(join(target, "config.json"), "utf8")) as object;
    await writeFile(join(target, "config.json"), JSON.stringify({ ...config, ...fields }));
    return target;
  }
  const expectRefusal = (reference: string, code: string, message: RegExp): Promise<void> =>
    expect(loadTextClassifier(reference)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });

  it.each([
    ["another architecture", { model_type: "modernbert" }, /model_type "modernbert".*onnx\/model\.onnx/],
    ["another kind of attention", { pos_att_type: "p2p|c2p" }, /"pos_att_type" has "p2p"/],
    ["another norm of distances", { norm_rel_ebd: "rms" }, /"norm_rel_ebd" is "rms"/],
    ["another activation", { hidden_act: "mish" }, /"hidden_act" is "mish"/],
    ["a pooler of another width", { pooler_hidden_size: 12 }, /"pooler_hidden_size" is 12/],
    ["heads of another size", { attention_head_size: 5 }, /"attention_head_size" is 5/],
    ["quantised weights", { quantization_config: { bits: 4 } }, /"quantization_config"/],
    ["fewer blocks than are stored", { num_hidden_layers: 1 }, /tensor "deberta\.encoder\.layer\.1/],
  ])("%s", async (_name, fields, message) => {
    await expectRefusal(await change("deberta", fields), "unsupported-model", message);
  });

  it("labels that do not fit the head", async () => {
    await expectRefusal(
      await change("deberta", { id2label: { 0: "a", 1: "b" } }),
      "bad-checkpoint",
      /classifier/,
    );
    await expectRefusal(
      await change("deberta", { id2label: { 1: "a", 2: "b" } }),
      "bad-checkpoint",
      /ids 1, 2/,
    );
    await using exported = await loadTextClassifier(await change("exported", { id2label: { 0: "a" } }));
    await expect(exported.classify(["x"])).rejects.toMatchObject({ code: "bad-checkpoint" });
  });

  it("an export for another task", async () => {
    const target = await change("exported");
    await rm(join(target, "onnx"), { recursive: true });
    await copyFile(join(folder("exported"), "onnx/model.onnx"), join(target, "model.onnx"));
    await using _fine = await loadTextClassifier(target);
    const { loadTextEmbedder } = await import("./load-text-embedder.ts");
    await expect(loadTextEmbedder(target)).rejects.toMatchObject({
      code: "unsupported-model",
      message: expect.stringMatching(/outputs logits, expected last_hidden_state or/) as string,
    });
  });

  it("weights and tokenizers in other formats, with the way out", async () => {
    const pytorch = await change("deberta");
    await rm(join(pytorch, "model.safetensors"));
    await writeFile(join(pytorch, "pytorch_model.bin"), "");
    await expectRefusal(pytorch, "no-safetensors", /pytorch_model\.bin, which can run code.*save_pretrained/);
    const slow = await change("deberta");
    await rm(join(slow, "tokenizer.json"));
    await writeFile(join(slow, "spm.model"), "");
    await expectRefusal(slow, "bad-tokenizer", /spm\.model and no tokenizer\.json.*save_pretrained/);
  });
});
