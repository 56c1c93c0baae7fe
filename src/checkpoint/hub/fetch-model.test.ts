import { chmod, cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { pushCommit } from "../../../test/fakes/fake-model.ts";
import { createGoldenModel, createHubStage } from "../../../test/fakes/hub-stage.ts";
import { drain } from "../../net/map-concurrently.ts";
import { fetchModel } from "./fetch-model.ts";
import type { PullEvent } from "./hub.ts";

const ID = { repo: "tiny/qwen3-tied", revision: "main" };
const GONE = "http://127.0.0.1:1";

async function collect(events: AsyncGenerator<PullEvent, { readonly folder: string }>) {
  const notes: string[] = [];
  for (;;) {
    const step = await events.next();
    if (step.done) return { folder: step.value.folder, notes };
    if (step.value.kind === "note") notes.push(step.value.message);
  }
}

describe("fetchModel", () => {
  it("asks nobody when the cache has all, not even for what is newer", async () => {
    const model = createGoldenModel("qwen3-tied");
    await using stage = await createHubStage([model]);
    const { folder } = await drain(fetchModel(stage.hub, ID));
    pushCommit(model, { "config.json": "{}" });
    stage.fake.clear();
    expect(await collect(fetchModel(stage.hub, ID))).toEqual({ folder, notes: [] });
    const offline = await stage.openHub({ HF_HUB_OFFLINE: "1", HF_ENDPOINT: GONE });
    expect(await collect(fetchModel(offline, ID))).toEqual({ folder, notes: [] });
    expect(stage.fake.requests).toEqual([]);
  });

  it("says what to do when it is offline and has nothing", async () => {
    await using stage = await createHubStage([createGoldenModel("qwen3-tied")]);
    for (const name of ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) {
      const hub = await stage.openHub({ [name]: "true" });
      await expect(drain(fetchModel(hub, ID))).rejects.toMatchObject({
        code: "model-not-cached",
        message: expect.stringMatching(/^tiny\/qwen3-tied is not in .*sep models pull tiny\/qwen3-tied/),
      });
    }
    expect(stage.fake.requests).toEqual([]);
  });

  it("completes the commit that is there instead of loading a newer one", async () => {
    const model = createGoldenModel("qwen3-tied");
    await using stage = await createHubStage([model]);
    const { folder } = await drain(fetchModel(stage.hub, ID));
    await rm(join(folder, "tokenizer.json"));
    pushCommit(model, { "config.json": "{}", "tokenizer.json": "{}", "model.safetensors": "new" });
    stage.fake.clear();
    expect((await drain(fetchModel(stage.hub, ID))).folder).toBe(folder);
    // the content is still among the blobs: only the link was gone
    expect(stage.downloads()).toEqual([]);
  });

  it("takes the newest commit when the weights are not there", async () => {
    const model = createGoldenModel("qwen3-tied");
    await using stage = await createHubStage([model]);
    const { folder } = await drain(fetchModel(stage.hub, ID));
    await rm(join(folder, "model.safetensors"));
    const commit = pushCommit(model, {
      "config.json": "{}",
      "tokenizer.json": "{}",
      "model.safetensors": "new",
    });
    expect((await drain(fetchModel(stage.hub, ID))).commit).toBe(commit);
  });

  it("offline, names what an unfinished copy lacks", async () => {
    const model = createGoldenModel("llama-tied-f16-sharded");
    await using stage = await createHubStage([model]);
    const id = { repo: model.id, revision: "main" };
    const { folder } = await drain(fetchModel(stage.hub, id));
    await rm(join(folder, "model-00002-of-00003.safetensors"));
    const offline = await stage.openHub({ HF_HUB_OFFLINE: "1" });
    await expect(drain(fetchModel(offline, id))).rejects.toMatchObject({
      code: "model-not-cached",
      message: expect.stringContaining("as a whole: model-00002-of-00003.safetensors is missing"),
    });
  });
});

describe("a copy that other programs made", () => {
  /** As Python leaves it that loaded weights and tokenizer, but had no reason to look for all the rest. */
  async function createPartialStage() {
    const model = createGoldenModel("qwen3-tied");
    const stage = await createHubStage([model]);
    const { folder, commit } = await drain(fetchModel(stage.hub, ID));
    const cache = stage.cacheOf(model);
    await rm(join(folder, "generation_config.json"));
    await rm(dirname(cache.absent(commit, "x")), { recursive: true });
    stage.fake.clear();
    return { stage, folder, commit, cache, model, [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose]() };
  }

  it("is asked about once, completed, and then known", async () => {
    await using partial = await createPartialStage();
    const { stage, folder } = partial;
    expect(await collect(fetchModel(stage.hub, ID))).toEqual({ folder, notes: [] });
    expect(await readdir(folder)).toContain("generation_config.json");
    stage.fake.clear();
    await drain(fetchModel(stage.hub, ID));
    expect(stage.fake.requests).toEqual([]);
  });

  it("is used as it is, with a note, when the hub cannot or must not be asked", async () => {
    await using partial = await createPartialStage();
    const { stage, folder } = partial;
    const expected = {
      folder,
      notes: [expect.stringMatching(/^using the cached .* lacks generation_config/)],
    };
    for (const env of [{ HF_HUB_OFFLINE: "1" }, { HF_ENDPOINT: GONE }]) {
      expect(await collect(fetchModel(await stage.openHub(env), ID))).toEqual(expected);
    }
    // no waiting for a hub that is not needed
    expect(stage.waitsMs).toEqual([]);
  });

  it("is known to be whole from Python's list of its files", async () => {
    await using partial = await createPartialStage();
    const { stage, commit, cache } = partial;
    const files = Object.fromEntries(
      ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"].map((name) => [
        name,
        {},
      ]),
    );
    await mkdir(dirname(cache.tree(commit)), { recursive: true });
    await writeFile(cache.tree(commit), '{"format_version": 1, "fi');
    expect((await collect(fetchModel(await stage.openHub({ HF_HUB_OFFLINE: "1" }), ID))).notes).toHaveLength(
      1,
    );
    await writeFile(cache.tree(commit), JSON.stringify({ format_version: 1, files }));
    expect((await collect(fetchModel(stage.hub, ID))).notes).toEqual([]);
    expect(stage.fake.requests).toEqual([]);
  });

  it("is used as it is, with a note, when the hub no longer shows the model", async () => {
    await using partial = await createPartialStage();
    const { stage, folder, commit, model } = partial;
    model.commits.delete(commit);
    const expected = { folder, notes: [expect.stringContaining("lacks generation_config.json")] };
    expect(await collect(fetchModel(stage.hub, ID))).toEqual(expected);
    const refused = await stage.openHub({ HF_TOKEN: "hf_expired" });
    expect(await collect(fetchModel(refused, ID))).toEqual(expected);
  });

  it("gives way to the newest commit when it is unfinished and gone from the hub", async () => {
    await using partial = await createPartialStage();
    const { stage, folder, commit, model } = partial;
    await rm(join(folder, "tokenizer.json"));
    const newest = pushCommit(model, {
      "config.json": "{}",
      "tokenizer.json": "{ }",
      "model.safetensors": "new",
    });
    model.commits.delete(commit);
    expect((await drain(fetchModel(stage.hub, ID))).commit).toBe(newest);
  });

  // root may write everywhere
  it.skipIf(process.getuid?.() === 0)("cannot be completed in a folder that cannot be written", async () => {
    await using partial = await createPartialStage();
    const { stage, folder, commit, model } = partial;
    const readOnly = join(stage.cacheFolder, "shared");
    await cp(dirname(dirname(folder)), join(readOnly, "models--tiny--qwen3-tied"), {
      recursive: true,
      verbatimSymlinks: true,
    });
    const hub = await stage.openHub({ HF_HUB_CACHE: readOnly });
    await chmod(join(readOnly, "models--tiny--qwen3-tied"), 0o500);
    await chmod(readOnly, 0o500);
    try {
      await expect(drain(fetchModel(hub, ID))).rejects.toMatchObject({ code: "cache-not-writable" });
      // the hub has no such file either: there is nothing to complete
      model.commits.get(commit)?.files.delete("generation_config.json");
      expect((await collect(fetchModel(hub, ID))).notes).toEqual([]);
    } finally {
      await chmod(readOnly, 0o700);
      await chmod(join(readOnly, "models--tiny--qwen3-tied"), 0o700);
    }
  });
});
