import {
  copyFile,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fakeValue, ggufBytes } from "../../../test/fakes/gguf-bytes.ts";
import type { WeightIndex } from "../../engine/graph/weights.ts";
import { drain } from "../../net/map-concurrently.ts";
import { readGgufHeader } from "./gguf-header.ts";
import { openGgufWeights } from "./gguf-weights.ts";
import { interpretGguf, openGgufCheckpoint } from "./open-gguf.ts";

const golden = (name: string): string =>
  fileURLToPath(new URL(`../../../test/golden/gguf/${name}.gguf`, import.meta.url));

let folder: string;
let cache: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-gguf-cache-"));
  cache = join(folder, "cache", "gguf-v1");
  vi.stubEnv("SEP_CACHE", join(folder, "cache"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** Weights by name, with their sources as paths. */
const placesOf = (weights: WeightIndex) =>
  [...weights].map(([name, { source, ...place }]) => ({ name, ...place, path: source.path }));

test("packed weights are unpacked once, and the file is used again", async () => {
  const first = await openGgufCheckpoint(golden("qwen2"));
  const [name] = await readdir(cache);
  const file = join(cache, name!);
  const written = await stat(file);
  expect([...first.weights.values()].every((weight) => weight.source.path === file)).toBe(true);
  const second = await openGgufCheckpoint(golden("qwen2"));
  expect((await stat(file)).mtimeMs).toBe(written.mtimeMs);
  expect(placesOf(second.weights)).toEqual(placesOf(first.weights));
});

test("a changed file gets a file of its own, wherever it lies", async () => {
  const copy = join(folder, "model.gguf");
  await copyFile(golden("qwen2"), copy);
  const before = await openGgufCheckpoint(copy);
  await copyFile(copy, join(folder, "moved.gguf"));
  await openGgufCheckpoint(join(folder, "moved.gguf"));
  expect(await readdir(cache)).toHaveLength(1);
  const bytes = await readFile(copy);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(copy, bytes);
  const after = await openGgufCheckpoint(copy);
  expect(await readdir(cache)).toHaveLength(2);
  expect(await drain(after.fingerprintWeights())).not.toBe(await drain(before.fingerprintWeights()));
});

test("two that unpack at once leave one whole file", async () => {
  const opened = await Promise.all(Array.from({ length: 4 }, () => openGgufCheckpoint(golden("llama-k"))));
  expect(await readdir(cache)).toHaveLength(1);
  for (const { weights } of opened) expect(placesOf(weights)).toEqual(placesOf(opened[0]!.weights));
});

test("a damaged file in the cache and leftovers of dead processes are replaced", async () => {
  await openGgufCheckpoint(golden("qwen2"));
  const [name] = await readdir(cache);
  const file = join(cache, name!);
  const whole = await readFile(file);
  await truncate(file, whole.length - 1);
  await writeFile(join(cache, "old.tmp"), "x");
  await utimes(join(cache, "old.tmp"), 1000, 1000);
  await writeFile(join(cache, "young.tmp"), "x");
  await openGgufCheckpoint(golden("qwen2"));
  expect(await readFile(file)).toEqual(whole);
  expect((await readdir(cache)).sort()).toEqual([name!, "young.tmp"].sort());
});

test("half-precision weights stay where they are, and small ones are copied beside what is converted", async () => {
  const file = join(folder, "model.gguf");
  await writeFile(file, halfPrecisionModel("llama"));
  const link = join(folder, "link.gguf");
  await symlink(file, link);
  const { weights } = await openGgufCheckpoint(link);
  const [name] = await readdir(cache);
  const embedding = weights.get("model.embed_tokens.weight");
  // the link's target, since the graph's folder cannot hold a link that leads out of it
  expect(embedding).toMatchObject({ dtype: "F16", source: { path: await realpath(file) } });
  // the rows of a Llama's queries change places, so they are written again, in half precision still
  const queries = weights.get("model.layers.0.self_attn.q_proj.weight");
  expect(queries).toMatchObject({ dtype: "F16", source: { path: join(cache, name!) } });
  expect(weights.get("model.norm.weight")).toMatchObject({
    dtype: "F32",
    source: { path: join(cache, name!) },
  });
});

test("a model that needs no conversion writes nothing", async () => {
  const file = join(folder, "model.gguf");
  await writeFile(file, halfPrecisionModel("qwen3"));
  const { weights } = await openGgufCheckpoint(file);
  expect([...weights.values()].every((weight) => weight.source.path === file)).toBe(true);
  await expect(readdir(cache)).rejects.toThrow(/ENOENT/);
});

test("a file that was written to after its header was read is not kept", async () => {
  const header = await readGgufHeader(golden("qwen2"));
  const { plan } = interpretGguf(header, null);
  const opening = openGgufWeights({ ...header, modifiedMs: header.modifiedMs - 1 }, plan, {
    fingerprint: async () => "f".repeat(64),
  });
  await expect(opening).rejects.toThrow(/changed while it was read/);
  expect(await readdir(cache)).toEqual([]);
});

/** An embedding table above the size that is copied, and three tensors below it. */
function halfPrecisionModel(architecture: string): Uint8Array {
  const { text, array, uint32, float32 } = fakeValue;
  const sizes = { context_length: 8, embedding_length: 64, feed_forward_length: 64, block_count: 1 };
  const rows = 9000;
  return ggufBytes({
    metadata: [
      ["general.architecture", text(architecture)],
      ...Object.entries(sizes).map(([key, size]) => [`${architecture}.${key}`, uint32(size)] as const),
      [`${architecture}.attention.head_count`, uint32(4)],
      [`${architecture}.attention.layer_norm_rms_epsilon`, float32(1e-5)],
      ["tokenizer.ggml.model", text("gpt2")],
      ["tokenizer.ggml.pre", text("qwen2")],
      ["tokenizer.ggml.tokens", array(8, [text("a"), text("b")])],
      ["tokenizer.ggml.merges", array(8, [])],
    ],
    tensors: [
      { name: "token_embd.weight", dimensions: [64, rows], type: 1, offset: 0 },
      { name: "blk.0.attn_q.weight", dimensions: [64, 64], type: 1, offset: rows * 128 },
      { name: "output_norm.weight", dimensions: [64], type: 0, offset: rows * 128 + 8192 },
    ],
    dataBytes: rows * 128 + 8192 + 256,
  });
}
