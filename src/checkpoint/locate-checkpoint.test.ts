import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createGoldenModel, createHubStage } from "../../test/fakes/hub-stage.ts";
import { drain } from "../net/map-concurrently.ts";
import { loadModel } from "./load-model.ts";
import { locateCheckpoint, pullModel } from "./locate-checkpoint.ts";

/** A hub that fails the test when it is asked. */
const NO_HUB = {
  env: { HF_HOME: "/nowhere" },
  fetch: (() => {
    throw new Error("the hub was asked");
  }) as typeof fetch,
};

describe("locateCheckpoint", () => {
  let folder: string;
  let before: string;
  beforeEach(async () => {
    before = process.cwd();
    folder = await mkdtemp(join(tmpdir(), "sep-locate-"));
    process.chdir(folder);
  });
  afterEach(async () => {
    process.chdir(before);
    await rm(folder, { recursive: true });
  });

  it("takes a folder before a model of the hub with that name", async () => {
    await mkdir("org/name", { recursive: true });
    for (const path of ["org/name", "./org/name", join(folder, "org/name")]) {
      expect(await drain(locateCheckpoint(path, { hub: NO_HUB }))).toEqual({ path, commit: null });
    }
  });

  it.each([
    ["./org/name", "where there is nothing"],
    ["../name", "where there is nothing"],
    ["/nowhere/name", "where there is nothing"],
    ["~/name", "where there is nothing"],
    ["C:\\models\\name", "where there is nothing"],
    ["org\\name", "where there is nothing"],
    ["file.bin", "which is a file"],
    ["a/b/c", "which is none of these"],
    ["org/na me", "which is none of these"],
    ["https://huggingface.co/org/name", "which is none of these"],
    ["", "which is none of these"],
  ])("refuses %j without asking the hub", async (reference, problem) => {
    await writeFile("file.bin", "");
    await expect(drain(locateCheckpoint(reference, { hub: NO_HUB }))).rejects.toMatchObject({
      code: "model-not-found",
      message: expect.stringContaining(`${problem}. Expected "pocket"`),
    });
  });
});

describe("a model of the hub", () => {
  it("is downloaded once by loadModel, and gives what its folder gives", async () => {
    const golden = createGoldenModel("llama-tied-f16-sharded");
    await using stage = await createHubStage([golden]);
    const options = { hub: { env: stage.env }, threads: 1 };
    await using model = await loadModel(golden.id, options);
    const commit = golden.refs.get("main");
    expect(model.provenance).toMatchObject({ id: golden.id, revision: commit });
    stage.fake.clear();
    await using again = await loadModel(`${golden.id}@${commit}`, options);
    expect(stage.fake.requests).toEqual([]);
    const path = fileURLToPath(
      new URL("../../test/golden/checkpoints/llama-tied-f16-sharded", import.meta.url),
    );
    await using local = await loadModel(path, { threads: 1 });
    expect(local.provenance).toMatchObject({ id: path, revision: null });
    expect(local.provenance.weights_sha256).toBe(model.provenance.weights_sha256);
    const expected = (await local.prefill({ tokenIds: [1, 2, 3] })).logits;
    expect((await model.prefill({ tokenIds: [1, 2, 3] })).logits).toEqual(expected);
    expect((await again.prefill({ tokenIds: [1, 2, 3] })).logits).toEqual(expected);
  });
});

describe("pullModel", () => {
  it("refuses what is no model of the hub, and to work offline", async () => {
    await expect(drain(pullModel("./here", { hub: NO_HUB }))).rejects.toMatchObject({
      code: "model-not-found",
      message: expect.stringContaining('Got "./here", expected a model on the Hub as "org/name"'),
    });
    const offline = { ...NO_HUB, env: { HF_HUB_OFFLINE: "1" } };
    await expect(drain(pullModel("org/name", { hub: offline }))).rejects.toMatchObject({
      code: "model-not-cached",
    });
  });
});
