import { mkdtemp, readdir, rm, stat, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { scaleOf } from "../../test/expect-all-close.ts";
import { readTensors } from "../../test/read-tensors.ts";
import { loadModel } from "../checkpoint/load-model.ts";
import { extendRows } from "./generate/extend-rows.ts";
import type { LanguageModel } from "./language-model.ts";
import { emptyKvBlock } from "./session/kv-block.ts";

const golden = (name: string): string => fileURLToPath(new URL(`../../test/golden/${name}`, import.meta.url));

let cache: string;
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "sep-quantised-"));
  vi.stubEnv("SEP_CACHE", cache);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true, force: true });
});

// GQA and tied head; biases and bfloat16; GPT-2's [in, out] layout
const CHECKPOINTS = ["qwen3-tied", "qwen3-untied-bf16", "gpt2-tied"];
// root mean squares through three random blocks, of the scale; measured: 0.2 to 0.8% and 2 to 6.4%
const LARGEST_ERRORS = { int8: 0.02, int4: 0.1 } as const;
const FORMATS = ["int8", "int4"] as const;

describe.each(FORMATS.flatMap((dtype) => CHECKPOINTS.map((name) => ({ dtype, name }))))(
  "$name in $dtype",
  ({ dtype, name }) => {
    let model: LanguageModel;
    beforeAll(async () => {
      model = await loadModel(golden(`checkpoints/${name}`), { dtype, threads: 1 });
    });
    afterAll(() => model[Symbol.asyncDispose]());

    it("stays near the float32 model, and says that it is another", async () => {
      const tensors = await readTensors(golden(`decoder-${name}.safetensors`));
      const trace = await model.trace([...(tensors.token_ids as Float32Array)], {
        positions: [...(tensors.positions as Float32Array)],
      });
      const expected = tensors.residuals as Float32Array;
      let squares = 0;
      trace.residuals.forEach((value, i) => {
        squares += (value - (expected[i] as number)) ** 2;
      });
      const rootMeanSquare = Math.sqrt(squares / expected.length) / scaleOf(expected);
      expect(rootMeanSquare).toBeLessThan(LARGEST_ERRORS[dtype]);
      expect(rootMeanSquare, "really quantised").toBeGreaterThan(1e-5);
      expect(model.provenance.dtype).toBe(dtype);
    });

    it("gives a row the same bits whatever rows are beside it", async () => {
      const { config, session } = model;
      const { prefix } = await model.prefill({ tokenIds: [5, 6, 7, 8, 9] });
      const runWith = async (rows: number): Promise<Float32Array> => {
        const { logits } = await extendRows(
          session,
          Array.from({ length: rows }, (_, row) => [(row * 17 + 3) % 200]),
          {
            prefix,
            suffix: emptyKvBlock(config, rows),
            predict: [{ row: 0, offset: 0 }],
          },
        );
        return Float32Array.from(logits);
      };
      const alone = await runWith(1);
      for (const rows of [2, 3, 8, 11]) expect(await runWith(rows), `${rows} rows`).toEqual(alone);
    });
  },
);

describe("the cache of quantised weights", () => {
  it("holds one file a checkpoint, which is made anew when it is not whole", async () => {
    const folder = join(cache, "int8-hadamard");
    const names = await readdir(folder);
    expect(names).toHaveLength(CHECKPOINTS.length);
    expect(await readdir(join(cache, "int4-int8-head"))).toHaveLength(CHECKPOINTS.length);
    const [first] = names as [string];
    const { size, mtimeMs } = await stat(join(folder, first));
    await truncate(join(folder, first), size - 1);
    for (const name of CHECKPOINTS) {
      await using again = await loadModel(golden(`checkpoints/${name}`), { dtype: "int8" });
      expect((await again.trace([1, 2])).positions).toEqual([0, 1]);
    }
    expect((await stat(join(folder, first))).size).toBe(size);
    expect((await stat(join(folder, first))).mtimeMs).toBeGreaterThanOrEqual(mtimeMs);
    expect(await readdir(folder)).toEqual(names);
  });
});
