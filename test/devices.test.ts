import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { tryDevice } from "../src/checkpoint/resolve-device.ts";
import { extendRows } from "../src/engine/generate/extend-rows.ts";
import { sampleAnswers } from "../src/engine/generate/generate.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import { everyLayer } from "../src/engine/resolve-layers.ts";
import { DEVICE_NAMES, type DeviceName } from "../src/engine/runtime/device.ts";
import { emptyKvBlock } from "../src/engine/session/kv-block.ts";
import { expectAllClose, scaleOf } from "./expect-all-close.ts";
import { PLAIN_SAMPLER } from "./fakes/plain-sampler.ts";

/** The bound that the engine keeps to everywhere; measured with WebGPU: at most 1.5e-6. */
const RELATIVE_TOLERANCE = 1e-3;

const trials = await Promise.all(
  DEVICE_NAMES.filter((device) => device !== "cpu").map(
    async (device) => [device, await tryDevice(device)] as const,
  ),
);

describe.each(trials)("%s", (device, trial) => {
  // soft caps and windows; learned positions; half precision
  const models = ["pocket", "gemma2-softcaps", "gpt2-tied", "llama-tied-f16-sharded"];

  it.for(models)("computes what the CPU computes: %s", async (name, { skip }) => {
    if (!trial.works) return skip(trial.reason);
    await using own = await load(name, "cpu");
    await using other = await load(name, device);
    expect(other.provenance).toEqual({ ...own.provenance, device });
    expect(other.workers).toBe(1);
    const expected = await computeAll(own);
    expectAllClose(await computeAll(other), expected, RELATIVE_TOLERANCE * scaleOf(expected));
  });

  it("draws the same answers", async ({ skip }) => {
    if (!trial.works) return skip(trial.reason);
    await using own = await load("pocket", "cpu");
    await using other = await load("pocket", device);
    const [expected, drawn] = [await draw(own), await draw(other)];
    expect(expected.some(({ tokenIds }) => tokenIds.length > 3)).toBe(true);
    expect(drawn.map(({ tokenIds }) => tokenIds)).toEqual(expected.map(({ tokenIds }) => tokenIds));
  });
});

const load = (name: string, device: DeviceName): Promise<LanguageModel> =>
  loadModel(
    name === "pocket" ? name : fileURLToPath(new URL(`golden/checkpoints/${name}`, import.meta.url)),
    { device: { name: device }, threads: 1 },
  );

/** Residuals and logits of a prompt and of two steps of three samples of it. */
async function computeAll(model: LanguageModel): Promise<number[]> {
  const { config, session } = model;
  const tokenIds = Array.from({ length: 24 }, (_, i) => (i * 37 + 11) % config.vocabularySize);
  const prompt = await model.trace(tokenIds, { finalNorm: true });
  const { prefix, logits } = await model.prefill({ tokenIds });
  const values = [...prompt.residuals, ...(prompt.finalNorms ?? []), ...logits];
  let suffix = emptyKvBlock(config, 3);
  for (const step of [0, 1]) {
    const rows = [0, 1, 2].map((row) => [row * 5 + step]);
    const places = rows.map((_, row) => ({ row, offset: 0 }));
    const reads = { predict: places, trace: places, layers: everyLayer(config) };
    const result = await extendRows(session, rows, { prefix, suffix, ...reads });
    values.push(...result.logits, ...result.residuals.flatMap((row) => [...row]));
    suffix = result.suffix;
  }
  return values;
}

const draw = (model: LanguageModel) =>
  sampleAnswers(model, [5, 17, 42, 9], {
    runIds: [0, 1, 2],
    sampler: { ...PLAIN_SAMPLER, temperature: 0.7, topP: 0.9, maxNewTokens: 12 },
    seed: 1,
    streamKey: "question",
  });
