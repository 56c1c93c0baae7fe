import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { expectAllClose, scaleOf } from "../../../test/expect-all-close.ts";
import { readTensors } from "../../../test/read-tensors.ts";
import { weightFiles } from "../checkpoint/checkpoint.ts";
import { createConfigReader } from "../checkpoint/config-reader.ts";
import { readJsonFile } from "../checkpoint/read-json-file.ts";
import { readWeightIndex } from "../checkpoint/weight-index.ts";
import { createGraphFolder } from "../session/graph-folder.ts";
import { buildEncoder } from "./build-encoder.ts";
import { type EncoderInput, openEncoderSession } from "./encoder-session.ts";
import { findEncoderArchitecture } from "./registry.ts";

const golden = (name: string): string =>
  fileURLToPath(new URL(`../../../test/golden/${name}`, import.meta.url));

/** float32 sums in another order than PyTorch's. */
const RELATIVE_TOLERANCE = 1e-5;

const CASES = readdirSync(golden("encoders"));

describe.each(CASES)("%s against Python transformers", (name) => {
  it("ragged batch and one text at a time", async () => {
    const folder = golden(`encoders/${name}`);
    const config = createConfigReader(`${folder}/config.json`, await readJsonFile(`${folder}/config.json`));
    const architecture = findEncoderArchitecture(config);
    const weights = await readWeightIndex(folder);
    const tensors = await readTensors(golden(`encoder-${name}.safetensors`));
    const labelCount = tensors.logits === undefined ? null : 3;
    const { model } = buildEncoder(architecture, architecture.readConfig(config), weights, { labelCount });
    await using place = await createGraphFolder(model, weightFiles(weights));
    await using session = await openEncoderSession(place.modelPath, {
      threads: 1,
      outputs: ["logits", "last_hidden_state"],
    });
    const lengths = [70, 33, 18, 5, 2];
    const inputs: EncoderInput[] = lengths.map((length, row) => ({
      tokenIds: [...tensors.input_ids!.subarray(row * 70, row * 70 + length)],
      tokenTypes: [...tensors.token_type_ids!.subarray(row * 70, row * 70 + length)],
    }));
    const expected = tensors.logits ?? tensors.last_hidden_state!;
    const width = expected.length / (labelCount === null ? 5 * 70 : 5);
    const rowOf = (all: Float32Array, row: number, span: number): Float32Array =>
      labelCount === null
        ? all.subarray(row * span * width, (row * span + lengths[row]!) * width)
        : all.subarray(row * width, (row + 1) * width);
    const all = await session.run(inputs);
    let worst = 0;
    for (const [row, input] of inputs.entries()) {
      const want = rowOf(expected, row, 70);
      const alone = (await session.run([input])).values;
      for (const got of [rowOf(all.values, row, 70), alone]) {
        got.forEach((value, i) => {
          worst = Math.max(worst, Math.abs(value - want[i]!) / scaleOf(expected));
        });
        expectAllClose(got, want, RELATIVE_TOLERANCE * scaleOf(expected));
      }
    }
    console.info(name, worst);
    expect(all.shape[0]).toBe(5);
  });
});
