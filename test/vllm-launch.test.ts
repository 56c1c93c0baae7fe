import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eachSampled } from "./each-sampled.ts";
import { makeFakeVllm } from "./fakes/make-fake-vllm.ts";

const SEP = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const VLLM = ["--backend", "vllm", "--gpu-mem-utilization", "0.5", "--max-num-seqs", "16", "--enforce-eager"];

let root: string;
let env: Record<string, string | undefined>;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-launch-"));
  env = await makeFakeVllm(join(root, "bin"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

it("starts one server for answers and their hidden states, and ends it", {
  tags: ["long"],
  timeout: 120_000,
}, async () => {
  const out = join(root, "whole");
  const study = [
    "--limit",
    "6",
    "--runs",
    "3",
    "--max-new-tokens",
    "60",
    "--layers",
    "0,2,4",
    "--ood",
    "none",
  ];
  const { code, stderr } = await start(["run", ...study, ...VLLM, "--out", out]).done;
  expect(stderr).not.toContain("Error");
  expect(code).toBe(0);
  const path = join(out, "artifacts", "vllm-states.log");
  const log = await readFile(path, "utf8");
  expect(log).toContain('"--gpu-memory-utilization","0.5","--max-num-seqs","16","--enforce-eager"');
  expect(log).toContain('"--logprobs-mode","raw_logprobs"');
  expect((await readdir(join(out, "artifacts"))).filter((name) => name.endsWith(".log"))).toEqual([
    "vllm-states.log",
  ]);
  expect(log).toContain('\\"eagle_aux_hidden_state_layer_ids\\":[0,2,4]');
  const evaluation = JSON.parse(await readFile(join(out, "artifacts", "models", "probe_eval.json"), "utf8"));
  expect(evaluation.source.backend).toBe("vllm");
  await expectNoServer(log);
  // with nothing to do, no server is started
  await rm(path);
  const again = await start(["run", ...study, ...VLLM, "--out", out]).done;
  expect(again.code).toBe(0);
  expect(again.stderr).not.toContain("starting");
});

eachSampled<[NodeJS.Signals, number | null]>(
  [
    ["SIGINT", 130],
    ["SIGKILL", null],
  ],
  { sample: 0 },
)("ends the server when it gets %s itself", async (signal, exitCode) => {
  const out = join(root, signal);
  expect((await start(["prepare", "--out", out]).done).code).toBe(0);
  const run = start(["generate", ...VLLM, "--set", "math", "--out", out]);
  const log = join(out, "artifacts", "vllm-answers.log");
  await waitFor(async () => (await readFile(log, "utf8").catch(() => "")).includes("serving at"));
  await waitFor(async () => (await readdir(join(out, "data"))).some((name) => name.endsWith(".partial")));
  run.child.kill(signal);
  expect((await run.done).code).toBe(exitCode);
  await expectNoServer(await readFile(log, "utf8"));
});

it("says why a server did not start, with the end of its log", { tags: ["long"] }, async () => {
  const out = join(root, "failing");
  expect((await start(["prepare", "--out", out]).done).code).toBe(0);
  const { code, stderr } = await start(["generate", ...VLLM, "--out", out], { FAKE_VLLM_FAILS: "1" }).done;
  expect(code).toBe(1);
  expect(stderr).toContain("vllm ended with exit code 3 before it was ready");
  expect(stderr).toContain("CUDA out of memory");
  const without = await start(["generate", ...VLLM, "--out", out], { PATH: "/nowhere" }).done;
  expect(without.stderr).toContain("There is no program `vllm` on the PATH");
});

interface Finished {
  readonly code: number | null;
  readonly stderr: string;
}

function start(
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
): { readonly child: ChildProcess; readonly done: Promise<Finished> } {
  const child = spawn(process.execPath, [SEP, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...env, ...more } as NodeJS.ProcessEnv,
  });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const done = new Promise<Finished>((resolve) => {
    child.once("close", (code) => resolve({ code, stderr }));
  });
  return { child, done };
}

async function waitFor(test: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await test()) return;
    await delay(50);
  }
  expect.fail("it never happened");
}

/** The port answers no more, and nothing listens on it. */
async function expectNoServer(log: string): Promise<void> {
  const url = /serving at (\S+)/.exec(log)?.[1] as string;
  await waitFor(() =>
    fetch(`${url}/models`).then(
      () => false,
      () => true,
    ),
  );
}
