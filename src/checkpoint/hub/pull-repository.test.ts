import { lstat, readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createFakeModel, etagOf, pushCommit } from "../../../test/fakes/fake-model.ts";
import { createGoldenModel, createHubStage } from "../../../test/fakes/hub-stage.ts";
import { drain } from "../../net/map-concurrently.ts";
import type { PullEvent } from "./hub.ts";
import { pullRepository } from "./pull-repository.ts";

const ID = { repo: "tiny/qwen3-tied", revision: "main" };
const WANTED = [
  "chat_template.jinja",
  "config.json",
  "generation_config.json",
  "model.safetensors",
  "tokenizer.json",
  "tokenizer_config.json",
];

describe("pullRepository", () => {
  it("downloads config, tokenizer and safetensors, and lays them out as Python does", async () => {
    const model = createGoldenModel("qwen3-tied");
    await using stage = await createHubStage([model]);
    const commit = model.refs.get("main") as string;
    const cache = stage.cacheOf(model);
    const pulled = await drain(pullRepository(stage.hub, ID));
    expect(pulled).toEqual({ commit, folder: cache.snapshot(commit) });
    expect((await readdir(pulled.folder)).sort()).toEqual(WANTED);
    expect(await readFile(cache.ref("main"), "utf8")).toBe(commit);
    for (const name of WANTED) {
      const file = model.commits.get(commit)?.files.get(name);
      if (file === undefined) throw new Error(name);
      expect(await readlink(join(pulled.folder, name))).toBe(join("..", "..", "blobs", etagOf(file)));
      expect(await readFile(join(pulled.folder, name))).toEqual(file.content);
    }
    expect(await readdir(join(cache.folder, "blobs"))).toHaveLength(WANTED.length);
    expect((await readdir(join(cache.folder, ".no_exist", commit))).sort()).toEqual([
      "added_tokens.json",
      "chat_template.json",
      "special_tokens_map.json",
    ]);
    expect(stage.downloads()).toHaveLength(WANTED.length);
  });

  it("tells what is planned, how far it is, and what is done", async () => {
    const model = createGoldenModel("qwen3-tied");
    await using stage = await createHubStage([model]);
    const events: PullEvent[] = [];
    for await (const event of pullRepository(stage.hub, ID)) events.push(event);
    const sizes = [...(model.commits.get(model.refs.get("main") as string)?.files ?? [])]
      .filter(([name]) => WANTED.includes(name))
      .map(([, { content }]) => content.length);
    const totalBytes = sizes.reduce((sum, size) => sum + size, 0);
    const ends = { source: stage.fake.endpoint, folder: stage.cacheFolder };
    expect(events[0]).toEqual({ kind: "planned", files: expect.any(Array), totalBytes, ...ends });
    const weights = events.filter((event) => "file" in event && event.file === "model.safetensors");
    expect(weights.map(({ kind }) => kind)).toEqual(["received", "received", "completed"]);
    expect(weights.map((event) => "receivedBytes" in event && event.receivedBytes)).toEqual([
      expect.any(Number),
      Math.max(...sizes),
      Math.max(...sizes),
    ]);
    expect(events.filter(({ kind }) => kind === "completed")).toHaveLength(WANTED.length);
  });

  it("asks once more and downloads nothing when all is there", async () => {
    const model = createGoldenModel("qwen3-tied");
    await using stage = await createHubStage([model]);
    await drain(pullRepository(stage.hub, ID));
    stage.fake.clear();
    const events: PullEvent[] = [];
    for await (const event of pullRepository(stage.hub, ID)) events.push(event);
    const ends = { source: stage.fake.endpoint, folder: stage.cacheFolder };
    expect(events).toEqual([{ kind: "planned", files: [], totalBytes: 0, ...ends }]);
    expect(stage.fake.requests.map(({ path }) => path)).toEqual([
      "/api/models/tiny/qwen3-tied/revision/main",
    ]);
  });

  it("takes a new commit, and shares with the old one what has not changed", async () => {
    const model = createGoldenModel("qwen3-tied");
    await using stage = await createHubStage([model]);
    const before = await drain(pullRepository(stage.hub, ID));
    const contents = Object.fromEntries(
      [...(model.commits.get(before.commit)?.files ?? [])].map(([name, { content }]) => [name, content]),
    );
    const commit = pushCommit(model, { ...contents, "generation_config.json": '{"eos_token_id": 1}' });
    stage.fake.clear();
    const after = await drain(pullRepository(stage.hub, ID));
    expect(after.commit).toBe(commit);
    expect(stage.downloads()).toEqual(["hub generation_config.json"]);
    expect(await readlink(join(after.folder, "model.safetensors"))).toBe(
      await readlink(join(before.folder, "model.safetensors")),
    );
    expect(await readFile(stage.cacheOf(model).ref("main"), "utf8")).toBe(commit);
    // the old commit is still whole, for whoever asks for it by its hash
    expect((await stat(join(before.folder, "generation_config.json"))).size).toBeGreaterThan(20);
  });

  it("downloads the shards that the index names", async () => {
    const model = createGoldenModel("llama-tied-f16-sharded");
    await using stage = await createHubStage([model]);
    const { folder } = await drain(pullRepository(stage.hub, { repo: model.id, revision: "main" }));
    expect((await readdir(folder)).filter((name) => name.startsWith("model"))).toEqual([
      "model-00001-of-00003.safetensors",
      "model-00002-of-00003.safetensors",
      "model-00003-of-00003.safetensors",
      "model.safetensors.index.json",
    ]);
  });

  it("takes branches with slashes, tags and commits; only the first two are noted", async () => {
    const model = createGoldenModel("qwen3-tied");
    const commit = model.refs.get("main") as string;
    model.refs.set("refs/pr/1", commit);
    model.refs.set("v1.0", commit);
    await using stage = await createHubStage([model]);
    for (const revision of ["refs/pr/1", "v1.0", commit]) {
      expect((await drain(pullRepository(stage.hub, { ...ID, revision }))).commit).toBe(commit);
    }
    const refs = await readdir(join(stage.cacheOf(model).folder, "refs"), { recursive: true });
    expect(refs.sort()).toEqual(["refs", join("refs", "pr"), join("refs", "pr", "1"), "v1.0"]);
  });

  it("finds a model under its old name, and sends the token there too", async () => {
    const model = createGoldenModel("qwen3-tied", "private");
    await using stage = await createHubStage([model], { renamed: { "old/name": model.id } });
    const hub = await stage.openHub({ HF_TOKEN: "hf_granted" });
    const { folder } = await drain(pullRepository(hub, { repo: "old/name", revision: "main" }));
    expect(folder).toContain("models--old--name");
    expect((await readdir(folder)).sort()).toEqual(WANTED);
  });

  it("keeps the token from the storage server", async () => {
    const model = createGoldenModel("qwen3-tied", "gated");
    await using stage = await createHubStage([model]);
    await drain(pullRepository(await stage.openHub({ HF_TOKEN: "hf_granted" }), ID));
    const seen = (server: string) =>
      new Set(
        stage.fake.requests
          .filter((request) => request.server === server)
          .map(({ authorization }) => authorization),
      );
    expect(seen("hub")).toEqual(new Set(["Bearer hf_granted"]));
    expect(seen("cdn")).toEqual(new Set([null]));
  });

  it("copies where links cannot be made", async () => {
    const model = createGoldenModel("qwen3-tied");
    await using stage = await createHubStage([model]);
    const hub = await stage.openHub({ HF_HUB_DISABLE_SYMLINKS: "1" });
    const { folder } = await drain(pullRepository(hub, ID));
    expect((await lstat(join(folder, "model.safetensors"))).isFile()).toBe(true);
    stage.fake.clear();
    await drain(pullRepository(hub, ID));
    expect(stage.downloads()).toEqual([]);
  });
});

describe("pullRepository refuses", () => {
  const explain = async (
    model: ReturnType<typeof createFakeModel>,
    { token, revision = "main" }: { token?: string; revision?: string } = {},
  ) => {
    await using stage = await createHubStage([model]);
    const hub = await stage.openHub(token === undefined ? {} : { HF_TOKEN: token });
    const error = await drain(pullRepository(hub, { repo: model.id, revision })).catch(
      (thrown: unknown) => thrown,
    );
    return { code: (error as { code: string }).code, message: (error as Error).message };
  };

  it("gated models, and says where to accept their terms", async () => {
    const model = createGoldenModel("qwen3-tied", "gated");
    expect(await explain(model)).toEqual({
      code: "gated-model",
      message: expect.stringMatching(/is gated.*Accept them on http.*\/tiny\/qwen3-tied, then set HF_TOKEN/),
    });
    expect(await explain(model, { token: "hf_stranger" })).toEqual({
      code: "gated-model",
      message: expect.stringContaining("The account of your token has no access yet"),
    });
  });

  it("private and missing models alike, since the hub does not tell them apart", async () => {
    const model = createGoldenModel("qwen3-tied", "private");
    for (const token of [undefined, "hf_stranger"]) {
      const error = await explain(model, token === undefined ? {} : { token });
      expect(error.code).toBe("model-not-found");
      expect(error.message).toMatch(/^There is no model tiny\/qwen3-tied on http.*, or it is private\./);
    }
  });

  it("a token that the hub does not know", async () => {
    const { code, message } = await explain(createGoldenModel("qwen3-tied"), { token: "hf_expired" });
    expect(code).toBe("hub-token-refused");
    expect(message).toContain("does not accept your token (Invalid credentials in Authorization header)");
    expect(message).not.toContain("hf_expired");
  });

  it("a revision that is not there", async () => {
    const { code, message } = await explain(createGoldenModel("qwen3-tied"), { revision: "v9" });
    expect(code).toBe("revision-not-found");
    expect(message).toContain('tiny/qwen3-tied has no branch, tag or commit "v9"');
  });

  it("models without safetensors, naming what they have", async () => {
    const contents = { "config.json": "{}", "pytorch_model.bin": "", "tf/model.h5": "", "m-Q4_K_M.gguf": "" };
    const { code, message } = await explain(createFakeModel("tiny/other", contents));
    expect(code).toBe("no-safetensors");
    expect(message).toMatch(/it has GGUF \(m-Q4_K_M\.gguf\), PyTorch \(pytorch_model\.bin\), TensorFlow/);
    expect((await explain(createFakeModel("tiny/none", { "README.md": "" }))).message).toContain(
      "it has no weights in any format known here",
    );
  });

  it("models without a fast tokenizer, before the weights are loaded", async () => {
    const contents = { "config.json": "{}", "model.safetensors": "w", "tokenizer.model": "" };
    const { code, message } = await explain(createFakeModel("tiny/slow", contents));
    expect(code).toBe("hub-file-missing");
    expect(message).toContain("has no tokenizer.json, which is needed. It has a slow tokenizer only");
  });

  it("an index that names shards that are not there", async () => {
    const map = JSON.stringify({ weight_map: { a: "model-1.safetensors" } });
    const { code, message } = await explain(
      createFakeModel("tiny/half", {
        "config.json": "{}",
        "tokenizer.json": "{}",
        "model.safetensors.index.json": map,
      }),
    );
    expect(code).toBe("hub-file-missing");
    expect(message).toContain("has no model-1.safetensors, which its model.safetensors.index.json names");
  });
});
