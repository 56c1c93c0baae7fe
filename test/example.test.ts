import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { POCKET_FOLDER } from "../src/checkpoint/locate-checkpoint.ts";
import { runCli } from "../src/cli/run-cli.ts";
import { readConfig } from "../src/study/config-file.ts";
import { STUDY } from "../src/study/settings/study.ts";
import { formatBytes } from "../src/text/format-numbers.ts";
import { createFakeCli, type FakeCli } from "./fakes/cli-context.ts";
import { createFakeModel } from "./fakes/fake-model.ts";
import { createHubStage, type HubStage } from "./fakes/hub-stage.ts";

const EXAMPLE = new URL("../examples/trivia.yaml", import.meta.url).pathname;
/** The study in small: the embedded model's files stand where the example's are, and it knows arithmetic only. */
const SMALL = ["run", "--example", "trivia", "--limit", "15", "--runs", "2", "--max-new-tokens", "12"];

let root: string;
let hub: HubStage;
let sizeBytes: number;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-example-"));
  const { model } = await readConfig(EXAMPLE, STUDY);
  const names = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
  ];
  const contents = await Promise.all(
    names.map(async (name) => [name, await readFile(join(POCKET_FOLDER, name))] as const),
  );
  sizeBytes = contents.reduce((sum, [, { length }]) => sum + length, 0);
  hub = await createHubStage([createFakeModel(model as string, Object.fromEntries(contents))]);
});
afterAll(async () => {
  await hub[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<FakeCli & { code: number }> {
  const cli = createFakeCli({ env: { SEP_CACHE: join(root, "cache"), ...env }, columns: 500 });
  return { ...cli, code: await runCli(args, cli.context) };
}

it("sep run --example trivia says what it downloads, from where and where to, and makes a report", async () => {
  const out = join(root, "trivia");
  const first = await run([...SMALL, "--out", out], hub.env);
  expect(first.code, first.stderr()).toBe(0);
  const { fake, cacheFolder } = hub;
  const note = `downloading ${formatBytes(sizeBytes)} from ${fake.endpoint} into ${cacheFolder}`;
  expect(first.stderr()).toContain(`download HuggingFaceTB/SmolLM2-135M-Instruct: ${note}`);
  expect(first.stdout()).toMatch(/^Report {2}.*report\.html$/m);
  const page = await readFile(join(out, "artifacts", "report.html"), "utf8");
  expect(page).toContain("HuggingFaceTB/SmolLM2-135M-Instruct");
  const config = await readFile(join(out, "artifacts", "config.yaml"), "utf8");
  for (const line of ["dataset: general", "ood: none", "prompt-format: few-shot", "limit: 15", "runs: 2"])
    expect(config).toContain(`\n${line}\n`);

  const offline = await run([...SMALL, "--out", out], { ...hub.env, HF_HUB_OFFLINE: "1" });
  expect(offline.code, offline.stderr()).toBe(0);
  expect(offline.stderr()).not.toContain("downloading");
});

it("sep run --example trivia says without a network that a copy of the model does as well", async () => {
  const env = { HF_HUB_OFFLINE: "1", HF_HOME: join(root, "none") };
  const { code, stderr } = await run([...SMALL, "--out", join(root, "offline")], env);
  expect(code).toBe(1);
  expect(stderr()).toMatch(/--model FILE\.gguf.*\[model-not-cached/);
  const other = await run([...SMALL, "--model", "pocket", "--dry-run", "--out", join(root, "own")], env);
  expect(other.code, other.stderr()).toBe(0);
  expect(other.stdout()).toContain("generate math");
});
