import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { expectAllClose, scaleOf } from "../../../test/expect-all-close.ts";
import { readTensors } from "../../../test/read-tensors.ts";
import { weightFiles } from "../../checkpoint/checkpoint.ts";
import { readJsonFile } from "../../checkpoint/read-json-file.ts";
import { readWeightIndex, type WeightIndex } from "../../checkpoint/weight-index.ts";
import { createConfigReader } from "../graph/config-reader.ts";
import { createGraphFolder } from "../runtime/graph-folder.ts";
import { buildEncoder, type EncoderGraph } from "./build-encoder.ts";
import { type EncoderInput, type EncoderSession, openEncoderSession } from "./encoder-session.ts";
import { findEncoderArchitecture } from "./registry.ts";

const golden = (name: string): string =>
  fileURLToPath(new URL(`../../../test/golden/${name}`, import.meta.url));

/** float32 sums in another order than PyTorch's; measured: at most 9e-7. The rest is room for other processors. */
const RELATIVE_TOLERANCE = 1e-5;
/** As the generator made the batch. */
const LENGTHS = [70, 33, 18, 5, 2];
const LONGEST = 70;
const LABELS = 3;

/** Every checkpoint that test/golden/generate/encoder_cases.py describes. */
const CASES = readdirSync(golden("encoders"));

async function build(
  name: string,
  labelCount: number | null,
): Promise<EncoderGraph & { readonly weights: WeightIndex }> {
  const folder = golden(`encoders/${name}`);
  const config = createConfigReader(`${folder}/config.json`, await readJsonFile(`${folder}/config.json`));
  const architecture = findEncoderArchitecture(config);
  const weights = await readWeightIndex(folder);
  return { ...buildEncoder(architecture, architecture.readConfig(config), weights, { labelCount }), weights };
}

async function open(name: string, labelCount: number | null): Promise<EncoderSession> {
  const { model, weights } = await build(name, labelCount);
  await using place = await createGraphFolder(model, weightFiles(weights));
  return openEncoderSession(place.modelPath, { threads: 1, outputs: ["logits", "last_hidden_state"] });
}

it("covers every architecture", () => {
  expect(CASES.length).toBeGreaterThanOrEqual(13);
});

describe.each(CASES)("%s against Python transformers", (name) => {
  it("in a batch of ragged lengths, and each text alone", async () => {
    const tensors = await readTensors(golden(`encoder-${name}.safetensors`));
    const isClassifier = tensors.logits !== undefined;
    await using session = await open(name, isClassifier ? LABELS : null);
    const inputs: EncoderInput[] = LENGTHS.map((length, row) => ({
      tokenIds: [...tensors.input_ids!.subarray(row * LONGEST, row * LONGEST + length)],
      tokenTypes: [...tensors.token_type_ids!.subarray(row * LONGEST, row * LONGEST + length)],
    }));
    const expected = (tensors.logits ?? tensors.last_hidden_state) as Float32Array;
    const rowSize = expected.length / LENGTHS.length;
    // what stands at padding is not defined
    const rowOf = (all: Float32Array, row: number, size: number): Float32Array =>
      all.subarray(row * size, row * size + (isClassifier ? size : (rowSize / LONGEST) * LENGTHS[row]!));
    const together = await session.run(inputs);
    expect(together.shape).toEqual(isClassifier ? [5, LABELS] : [5, LONGEST, rowSize / LONGEST]);
    for (const [row, input] of inputs.entries()) {
      const wanted = rowOf(expected, row, rowSize);
      expectAllClose(rowOf(together.values, row, rowSize), wanted, RELATIVE_TOLERANCE * scaleOf(expected));
      const { values } = await session.run([input]);
      expectAllClose(values, wanted, RELATIVE_TOLERANCE * scaleOf(expected));
    }
  });
});

describe("refuses checkpoints that are not what their config says", () => {
  it.each([
    ["bert-classifier", "classifier.bias"],
    ["deberta-v3", "deberta.encoder.rel_embeddings.weight"],
    ["deberta-v2-convolution", "deberta.encoder.conv.LayerNorm.weight"],
    ["deberta-v2-unshared", "deberta.encoder.layer.1.attention.self.pos_query_proj.bias"],
    ["roberta-hidden", "embeddings.position_embeddings.weight"],
  ])("%s without its tensor %s", async (name, tensor) => {
    const folder = golden(`encoders/${name}`);
    const config = createConfigReader("config.json", await readJsonFile(`${folder}/config.json`));
    const architecture = findEncoderArchitecture(config);
    const weights = new Map([...(await readWeightIndex(folder))].filter(([key]) => key !== tensor));
    const labelCount = name.endsWith("hidden") ? null : LABELS;
    expect(() =>
      buildEncoder(architecture, architecture.readConfig(config), weights, { labelCount }),
    ).toThrow(
      expect.objectContaining({
        code: "bad-checkpoint",
        message: expect.stringContaining(tensor) as string,
      }) as Error,
    );
  });
});
