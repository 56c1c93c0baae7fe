import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openCheckpointFolder, weightFiles } from "../../checkpoint/checkpoint.ts";
import { extendRows } from "../generate/extend-rows.ts";
import { everyLayer } from "../language-model.ts";
import { createGraphFolder } from "../runtime/graph-folder.ts";
import { openDecoderSession } from "../session/decoder-session.ts";
import { emptyKvBlock } from "../session/kv-block.ts";
import { findArchitecture } from "./architectures/registry.ts";
import { buildDecoder } from "./build-decoder.ts";

const CHECKPOINTS = new URL("../../../test/golden/checkpoints/", import.meta.url);
/** Logits and every residual of two rows of tokens, and the graph's bytes. */
async function compute(name: string, feedFromBytes: number) {
  const { config: reader, weights } = await openCheckpointFolder(fileURLToPath(new URL(name, CHECKPOINTS)));
  const architecture = findArchitecture(reader);
  const config = architecture.readConfig(reader);
  const { model, embeddingTable } = buildDecoder(architecture, config, weights, { feedFromBytes });
  await using folder = await createGraphFolder(model, weightFiles(weights));
  await using session = await openDecoderSession(folder.modelPath, config, { threads: 1, embeddingTable });
  const rows = [0, 1].map((row) =>
    Array.from({ length: 9 }, (_, i) => (i * 37 + row * 101 + 11) % config.vocabularySize),
  );
  rows[0]?.push(config.vocabularySize - 1); // the table's last row, and padding for the other
  const places = rows.flatMap((tokens, row) => tokens.map((_, offset) => ({ row, offset })));
  const { logits, residuals } = await extendRows(session, rows, {
    prefix: emptyKvBlock(config, 1),
    suffix: emptyKvBlock(config, 2),
    predict: places,
    trace: places,
    layers: everyLayer(config),
  });
  return { logits, residuals, takesIds: Buffer.from(model).includes("token_ids") };
}

describe("embeddings read from the file", () => {
  // tied and stored heads; float32, float16 in shards and bfloat16; scaled embeddings; learned positions
  it.each([
    "qwen3-tied",
    "qwen3-untied-bf16",
    "llama-tied-f16-sharded",
    "gemma2-softcaps",
    "gpt2-tied",
    "gpt-neox-parallel",
  ])("give every number as the whole graph does, to the bit: %s", async (name) => {
    const whole = await compute(name, Number.POSITIVE_INFINITY);
    const apart = await compute(name, 1);
    expect([whole.takesIds, apart.takesIds]).toEqual([true, false]);
    expect(whole.logits.every(Number.isFinite) && whole.logits.some((logit) => logit !== 0)).toBe(true);
    expect(apart.logits).toEqual(whole.logits);
    expect(apart.residuals).toEqual(whole.residuals);
  });
});
