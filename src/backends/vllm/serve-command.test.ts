import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { buildServeArguments, quoteForShell } from "./serve-command.ts";

/** With which a real vLLM was started for test/fixtures/vllm. */
const RECORDED = JSON.parse(
  readFileSync(new URL("../../../test/fixtures/vllm/servers.json", import.meta.url), "utf8"),
) as { readonly servers: { readonly extracting: readonly string[] } };

const settingOf = (args: readonly string[], name: string): unknown =>
  JSON.parse(args[args.indexOf(name) + 1] as string);

it("extracts hidden states as the server of the recordings did", () => {
  const args = buildServeArguments({
    model: "models/pocket",
    purpose: { kind: "states", layers: [0, 1, 2, 3, 4], folder: "/hidden-states" },
  });
  const { extracting } = RECORDED.servers;
  for (const flag of ["--no-enable-prefix-caching", "--no-enable-chunked-prefill"]) {
    expect(extracting).toContain(flag);
    expect(args).toContain(flag);
  }
  expect(settingOf(args, "--speculative_config")).toEqual(settingOf(extracting, "--speculative_config"));
  const { kv_connector_module_path: _ofTheRecording, ...wanted } = settingOf(
    extracting,
    "--kv_transfer_config",
  ) as Record<string, unknown>;
  expect(settingOf(args, "--kv_transfer_config")).toEqual({
    ...wanted,
    kv_connector: "ExampleHiddenStatesConnector", // which the recording's is without CUDA
  });
});

it("passes on what is given, and nothing else", () => {
  expect(buildServeArguments({ model: "org/name" })).toEqual([
    "serve",
    "org/name",
    "--max-logprobs",
    "20",
    "--logprobs-mode",
    "raw_logprobs",
  ]);
  const all = buildServeArguments({
    model: "org/name",
    revision: "abc",
    servedName: "mine",
    host: "0.0.0.0",
    port: 8001,
    gpuMemoryUtilization: 0.85,
    maxNumSeqs: 64,
    tensorParallel: 2,
    enforceEager: true,
    dtype: "bfloat16",
    maxModelLength: 4096,
    purpose: { kind: "pooling" },
  }).join(" ");
  expect(all).toBe(
    'serve org/name --revision abc --served-model-name mine --host 0.0.0.0 --port 8001 --gpu-memory-utilization 0.85 --max-num-seqs 64 --tensor-parallel-size 2 --dtype bfloat16 --max-model-len 4096 --enforce-eager --runner pooling --convert embed --pooler-config {"task":"token_embed"} --no-enable-prefix-caching --no-enable-chunked-prefill',
  );
});

it("quotes for a shell what a shell would read otherwise", () => {
  const words = ["a b", "it's", '{"x": [1, 2]}', "$HOME", "plain", ""];
  const script = `for word in ${quoteForShell(words)}; do printf '%s\\n' "$word"; done`;
  expect(execFileSync("sh", ["-c", script], { encoding: "utf8" })).toBe(`${words.join("\n")}\n`);
});
