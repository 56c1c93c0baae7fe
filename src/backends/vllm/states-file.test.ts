import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type FileFault, writeStates } from "../../../test/fakes/fake-vllm-states.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { createRequestNames, readStatesFile } from "./states-file.ts";

const TOKENS = [5, 6, 7, 8];
const LAYERS = [0, 4];

let model: LanguageModel;
let folder: string;
beforeAll(async () => {
  model = await loadModel("pocket", { threads: 1 });
  folder = await mkdtemp(join(tmpdir(), "sep-file-"));
});
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const read = async (fault: FileFault | null, waitMs = 400, dtype: "F32" | "BF16" = "F32") => {
  const path = await writeStates(
    model,
    { folder, layers: LAYERS, dtype },
    { id: "x", tokenIds: TOKENS, fault },
  );
  const expected = { tokenIds: TOKENS, layerCount: LAYERS.length, hiddenSize: model.config.hiddenSize };
  return readStatesFile(path, [1, 3], expected, { waitMs });
};

it("waits for a file that comes late and in pieces", async () => {
  const { residuals } = await model.trace(TOKENS, { positions: [1, 3], layers: LAYERS });
  for (const fault of [null, "late"] as const) {
    const states = await read(fault, 5_000);
    expect(Float32Array.from(states.flatMap((each) => [...each]))).toEqual(residuals);
  }
});

it("reads half precision as what it stands for", async () => {
  const { residuals } = await model.trace(TOKENS, { positions: [1, 3], layers: LAYERS });
  const states = (await read(null, 5_000, "BF16")).flatMap((each) => [...each]);
  // bfloat16 has 8 bits: half of the last is 2^-9
  for (const [i, value] of residuals.entries())
    expect(Math.abs(states[i]! - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -8);
});

it.each<[FileFault, string]>([
  ["missing", "is not there"],
  ["truncated", "is not whole"],
  ["short", "has hidden states of [2,2,256], expected [4,2,256]"],
  ["other-ids", "is of other tokens: token 0 is 6, expected 5"],
  ["zero", "all zero, of token 1, layer 0"],
])("a file that is %s is an error that says so", async (fault, message) => {
  await expect(read(fault)).rejects.toMatchObject({
    code: "bad-states",
    message: expect.stringContaining(message),
  });
});

it("waits while the writer holds its lock", async () => {
  const path = await writeStates(
    model,
    { folder, layers: LAYERS },
    { id: "y", tokenIds: TOKENS, fault: null },
  );
  const expected = { tokenIds: TOKENS, layerCount: LAYERS.length, hiddenSize: model.config.hiddenSize };
  await readStatesFile(path, [0], expected, { waitMs: 5_000 });
  const holder = spawn("flock", ["-x", `${path}.lock`, "sh", "-c", "echo held; sleep 0.5"]);
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  const startMs = performance.now();
  await readStatesFile(path, [0], expected, { waitMs: 10_000 });
  expect(performance.now() - startMs).toBeGreaterThan(250);
});

it("removes what dead processes left, and nothing else", async () => {
  const own = createRequestNames();
  const name = own.next();
  const host = name.split("-")[1];
  const swept = await mkdtemp(join(tmpdir(), "sep-sweep-"));
  const dead = spawn(process.execPath, ["-e", ""]);
  await new Promise((resolve) => dead.once("close", resolve));
  const files = {
    own: `cmpl-${name}-0-abcdef01.safetensors`,
    dead: `cmpl-sep-${host}-${dead.pid}-0123456789ab-7-0-abcdef01.safetensors`,
    elsewhere: `cmpl-sep-00000000-${dead.pid}-0123456789ab-7-0-abcdef01.safetensors`,
    foreign: "cmpl-884c2be191f51e80-0-a9c0caaf.safetensors",
  };
  for (const file of Object.values(files)) await writeFile(join(swept, file), "");
  await own.sweepDead(swept);
  expect((await readdir(swept)).sort()).toEqual([files.elsewhere, files.foreign, files.own].sort());
  expect(own.isOf(join(swept, files.own), name)).toBe(true);
  expect(own.isOf(join(swept, files.foreign), name)).toBe(false);
  await own.sweepOwn(swept);
  expect((await readdir(swept)).sort()).toEqual([files.elsewhere, files.foreign].sort());
  await rm(swept, { recursive: true });
});
