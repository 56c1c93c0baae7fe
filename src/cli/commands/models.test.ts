import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { createFakeModel } from "../../../test/fakes/fake-model.ts";
import { createGoldenModel, createHubStage, type HubStage } from "../../../test/fakes/hub-stage.ts";
import { runCli } from "../run-cli.ts";

async function sep(stage: HubStage, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const cli = createFakeCli({ env: { ...stage.env, ...env } });
  const code = await runCli(args, cli.context);
  return { code, stdout: cli.stdout(), stderr: cli.stderr() };
}

describe("sep models pull", () => {
  it("downloads with a progress line, and says where the model is", async () => {
    const model = createGoldenModel("qwen3-tied");
    await using stage = await createHubStage([model]);
    const { code, stdout, stderr } = await sep(stage, ["models", "pull", model.id]);
    expect(code).toBe(0);
    const lines = stderr.trimEnd().split("\n");
    const { fake, cacheFolder } = stage;
    expect(lines[0]).toMatch(/^download tiny\/qwen3-tied: downloading \d+ kB from /);
    expect(lines[0]).toContain(` from ${fake.endpoint} into ${cacheFolder}`);
    expect(lines[1]).toMatch(/^download tiny\/qwen3-tied: 0\/\d+ kB \(0%\), elapsed 0:00$/);
    expect(lines.at(-1)).toMatch(/^download tiny\/qwen3-tied: (\d+)\/\1 kB \(100%\)/);
    expect(stdout).toBe(
      `tiny/qwen3-tied ${model.refs.get("main")}\n${stage.cacheOf(model).snapshot(model.refs.get("main") ?? "")}\n`,
    );
    const again = await sep(stage, ["models", "pull", model.id]);
    expect(again).toMatchObject({ code: 0, stderr: "", stdout });
  });

  it("prints events for machines", async () => {
    const model = createGoldenModel("qwen3-tied");
    await using stage = await createHubStage([model]);
    const { stdout } = await sep(stage, ["models", "pull", model.id, "--json"]);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events[0]).toMatchObject({ kind: "note", step: "download", part: model.id });
    expect(events[1]).toMatchObject({
      kind: "started",
      step: "download",
      part: model.id,
      unit: "byte",
      done: 0,
    });
    const counts = events.flatMap(({ kind, done }) => (kind === "advanced" ? [done as number] : []));
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts.at(-1)).toBe(events[1]?.total);
    expect(events.at(-1)).toEqual({
      kind: "result",
      model: model.id,
      commit: model.refs.get("main"),
      path: expect.stringContaining("snapshots"),
    });
  });

  it("says that it must not ask the hub, and what went wrong there", async () => {
    await using stage = await createHubStage([]);
    const offline = await sep(stage, ["models", "pull", "a/b"], { HF_HUB_OFFLINE: "1" });
    expect(offline.code).toBe(1);
    expect(offline.stderr).toContain("[model-not-cached; see docs/errors.md]");
    const missing = await sep(stage, ["models", "pull", "a/b", "--json"]);
    expect(missing.code).toBe(1);
    expect(JSON.parse(missing.stdout)).toMatchObject({ kind: "error", code: "model-not-found" });
  });
});

describe("sep models list", () => {
  it("shows what the cache has, and whether the engine can run it", async () => {
    const models = [
      createGoldenModel("qwen3-tied"),
      createFakeModel("tiny/bert", {
        "config.json": JSON.stringify({ model_type: "bert" }),
        "tokenizer.json": "{}",
        "model.safetensors": "x",
      }),
    ];
    await using stage = await createHubStage(models);
    for (const { id } of models) await sep(stage, ["models", "pull", id, "--quiet"]);
    const { code, stdout } = await sep(stage, ["models", "list"]);
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    const [titles, bert] = lines;
    const [qwen, , total] = lines.slice(-3);
    expect(titles).toMatch(/^model +revision +size +type +engine$/);
    expect(bert).toMatch(/^tiny\/bert +main [0-9a-f]{7} +\d+ B +bert +no$/);
    // the reason has no room beside the rest
    expect(lines.slice(2, -3).join(" ").replace(/\s+/g, " ")).toMatch(
      /^ config\.json: model_type "bert" is an encoder/,
    );
    for (const line of lines.slice(0, -1)) expect(line.length).toBeLessThanOrEqual(100);
    expect(qwen).toMatch(/^tiny\/qwen3-tied +main [0-9a-f]{7} +\d+ kB +qwen3 +runs$/);
    expect(total).toBe(`349 kB in ${stage.cacheFolder} (HF_HUB_CACHE)`);
    const json = JSON.parse((await sep(stage, ["models", "list", "--json"])).stdout) as { models: object[] };
    expect(json).toMatchObject({
      kind: "models",
      cache: { path: stage.cacheFolder, reason: "HF_HUB_CACHE" },
      models: [
        { repo: "tiny/bert", revisions: ["main"], obstacle: expect.stringContaining("is an encoder") },
        { repo: "tiny/qwen3-tied", modelType: "qwen3", obstacle: null },
      ],
    });
  });

  it("names what is missing of an unfinished one, and says so when there is none", async () => {
    const model = createGoldenModel("llama-tied-f16-sharded");
    await using stage = await createHubStage([model]);
    expect((await sep(stage, ["models", "list"])).stdout).toMatch(
      /^No models in .* `sep models pull org\/name`/,
    );
    await sep(stage, ["models", "pull", model.id]);
    const folder = stage.cacheOf(model).snapshot(model.refs.get("main") as string);
    const shard = (await readdir(folder)).find((name) => name.includes("-00002-")) as string;
    await rm(join(folder, shard));
    expect((await sep(stage, ["models", "list"])).stdout).toMatch(
      /llama +no[:\s]+model-00002-of-00003\.safetensors does not exist/,
    );
  });
});

describe("sep models info", () => {
  it("describes a cached model", async () => {
    const model = createGoldenModel("qwen3-untied-bf16");
    await using stage = await createHubStage([model]);
    await sep(stage, ["models", "pull", model.id]);
    stage.fake.clear();
    const { code, stdout } = await sep(stage, ["models", "info", model.id]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^model {7}tiny\/qwen3-untied-bf16\ncommit {6}[0-9a-f]{40}\nfolder {6}/);
    expect(stdout).toContain("\nengine      runs\nblocks      3\nwidth       48\n");
    expect(stdout).toContain("\nheads       6 of 8, 3 for keys and values\nvocabulary  264 tokens\n");
    expect(stdout).toMatch(/\nparameters {2}(\d+) \(\1 as BF16\)\n/);
    // 2 x 3 blocks x 3 heads x 8 numbers x 4 bytes x 1000 tokens
    expect(stdout).toContain("576 kB for each 1000 tokens of a sequence");
    expect(stage.fake.requests).toEqual([]);
  });

  it("describes folders and the embedded model, with the license of a README", async () => {
    await using stage = await createHubStage([]);
    const { stdout } = await sep(stage, ["models", "info", "pocket", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      kind: "model",
      model: "pocket",
      commit: null,
      modelType: "qwen3",
      obstacle: null,
      config: { blockCount: expect.any(Number) },
      memory: { weightsBytes: expect.any(Number) },
    });
  });

  it("does not ask the hub about a model that is not here", async () => {
    await using stage = await createHubStage([createGoldenModel("qwen3-tied")]);
    const { code, stderr } = await sep(stage, ["models", "info", "tiny/qwen3-tied"]);
    expect(code).toBe(1);
    expect(stderr).toContain("`sep models pull tiny/qwen3-tied` downloads it. [model-not-cached;");
    expect((await sep(stage, ["models", "info", "./nowhere"])).stderr).toContain("[model-not-found;");
    expect((await sep(stage, ["models", "info", "a/b/c"])).stderr).toContain("which is none of these");
    expect(stage.fake.requests).toEqual([]);
  });
});
