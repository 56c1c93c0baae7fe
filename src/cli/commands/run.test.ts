import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFakeCli } from "../../../test/fakes/cli-context.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { runCli } from "../run-cli.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-next-"));
});
afterAll(() => rm(root, { recursive: true }));

const QUICK = ["--ood", "none", "--runs", "3", "--threads", "1"];

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly stdout: string }> {
  const cli = createFakeCli({});
  const code = await runCli(args, cli.context);
  return { code, stdout: cli.stdout() };
}

test("what comes next after a study with a template is a command that works", async () => {
  await using model = await loadModel("pocket", { threads: 1 });
  const template = join(root, "prompt.txt");
  const text = model.tokenizer.renderChat?.([{ role: "user", content: "{question}" }], {
    addGenerationPrompt: true,
  });
  await writeFile(template, text as string);
  const out = join(root, "study");
  const study = await run("run", "--limit", "30", "--prompt-format", template, ...QUICK, "--out", out);
  expect(study.code).toBe(0);
  const suggested = /sep score "Your question" (.*)$/m.exec(study.stdout);
  const options = (suggested?.[1] ?? "").split(" ");
  expect(options).toEqual([
    ...["--probe", join(out, "artifacts", "models", "accuracy_probe.json")],
    ...["--prompt-format", template],
  ]);
  const scored = await run("score", "What is 3 + 4?", ...options, "--threads", "1");
  expect(scored.stdout).toMatch(/^Answer {4}.*\nRisk/);
});

test("a probe that could not be trained is not to be asked next", async () => {
  const out = join(root, "few-shot");
  // the embedded model has never seen such prompts, and no answer is correct
  const study = await run("run", "--limit", "20", "--prompt-format", "few-shot", ...QUICK, "--out", out);
  expect(study.stdout).toContain(`sep report --open --out ${out}`);
  expect(study.stdout).not.toContain("sep score");
});
