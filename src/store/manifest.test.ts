import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type Manifest, readManifest, staleReasons } from "./manifest.ts";

const MANIFEST: Manifest = {
  tool: { name: "sep", version: "1" },
  step: "trace",
  settings: { seed: 1, layers: [0, 1], model: { device: "cpu", dtype: "float32" }, format: "chat" },
  inputs: { "data/a.jsonl": "1" },
  outputs: {},
  counts: {},
  warnings: [],
};
const reasons = (settings: Manifest["settings"], inputs = MANIFEST.inputs): string[] =>
  staleReasons(MANIFEST, { settings, inputs });

it("finds nothing changed in equal settings, whatever their order", () => {
  const { seed, layers, format } = MANIFEST.settings;
  expect(reasons({ format, model: { dtype: "float32", device: "cpu" }, layers, seed } as never)).toEqual([]);
});

it("names what has changed, down to the setting in its group", () => {
  const { settings } = MANIFEST;
  expect(
    reasons(
      {
        ...settings,
        seed: 2,
        layers: [0],
        model: { device: "webgpu", dtype: "float32" },
        format: { kind: "few-shot" },
        added: null,
      },
      { "data/a.jsonl": "2", "data/b.jsonl": "1" },
    ),
  ).toEqual([
    "added was not set and is now null",
    'format was "chat" and is now {"kind":"few-shot"}',
    "layers was [0,1] and is now [0]",
    'model.device was "cpu" and is now "webgpu"',
    "seed was 1 and is now 2",
    "data/a.jsonl has changed",
    "data/b.jsonl has changed",
  ]);
});

it("refuses a file that is not a manifest, and names what is missing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sep-manifest-"));
  const path = join(folder, "x.manifest.json");
  const { inputs: _, ...withoutInputs } = MANIFEST;
  try {
    for (const [text, message] of [
      ["x", "is not valid JSON"],
      ["[]", "is not a manifest: it does not contain an object"],
      ["{}", "it has no tool"],
      [JSON.stringify(withoutInputs), "is not a manifest of this version: it has no inputs"],
    ] as const) {
      await writeFile(path, text);
      await expect(readManifest(path)).rejects.toMatchObject({
        code: "bad-artifact",
        message: expect.stringContaining(message),
      });
    }
    await writeFile(path, JSON.stringify(MANIFEST));
    expect(await readManifest(path)).toEqual(MANIFEST);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it("says what a manifest of an older version did not have", () => {
  const { model: _, ...others } = MANIFEST.settings;
  expect(
    staleReasons({ ...MANIFEST, settings: { ...others, model: { dtype: "float32" } } }, MANIFEST),
  ).toEqual(['model.device was not set and is now "cpu"']);
});
