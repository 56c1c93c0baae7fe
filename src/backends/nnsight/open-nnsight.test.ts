import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { makeRun } from "../../../test/fakes/make-run.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { readSafetensorsHeader } from "../../store/safetensors.ts";
import { traceRuns } from "../../study/steps/trace-runs.ts";
import { openWorkspace, type Workspace } from "../../study/workspace.ts";
import type { BackendWith } from "../backend.ts";
import { type OpenNnsightOptions, openNnsight } from "./open-nnsight.ts";

const FAKE = fileURLToPath(new URL("../../../test/fakes/fake-sidecar.mjs", import.meta.url));
/** Those that the fake has states of. */
const PROMPT = "What is 12 + 7?";
const ANSWERS = ["<think>12 + 7 = 19</think>19", "It is 20", "21"];

let workspace: Workspace;
beforeEach(async () => {
  workspace = openWorkspace(await mkdtemp(join(tmpdir(), "sep-nnsight-test-")));
});
afterEach(() => rm(workspace.root, { recursive: true, force: true }));

const environment = (mode = ""): NodeJS.ProcessEnv => ({
  ...process.env,
  FAKE_SIDECAR: mode,
  FAKE_SIDECAR_LOG: join(workspace.root, "log.json"),
});

async function open(
  reference = "pocket",
  { mode, ...options }: OpenNnsightOptions & { readonly mode?: string } = {},
): Promise<{ readonly opened: BackendWith<"states">; readonly notes: readonly string[] }> {
  const opening = openNnsight(reference, { python: FAKE, env: environment(mode), ...options });
  const notes: string[] = [];
  for (;;) {
    const next = await opening.next();
    if (next.done) return { opened: next.value, notes };
    if (next.value.kind === "note") notes.push(next.value.message);
  }
}

const asked = async () => JSON.parse(await readFile(join(workspace.root, "log.json"), "utf8")).request;

async function writeRuns(): Promise<void> {
  await using model = await loadModel("pocket", { threads: 1 });
  const encode = (text: string) => model.tokenizer.encode(text, { specialTokens: false });
  await writeJsonl(
    workspace.runs("math"),
    ANSWERS.map((answer, run_id) => {
      const tokens = encode(answer);
      const none = tokens.map(() => 0);
      return makeRun({
        run_id,
        prompt: PROMPT,
        prompt_tokens: encode(PROMPT),
        tokens,
        token_entropies: none,
        token_logprobs: none,
        think_status: "none",
        think_token_indices: null,
        mean_think_entropy: null,
      });
    }),
  );
}

describe("openNnsight", () => {
  it("loads the checkpoint's folder in float32 where nothing else is said, and tells what computes", async () => {
    const { opened, notes } = await open();
    await using _ = opened;
    expect(await asked()).toMatchObject({
      model: expect.stringMatching(/models\/pocket$/),
      revision: null,
      device: "auto",
      dtype: "float32",
      remote: false,
    });
    expect(notes.at(-1)).toMatch(/^Qwen3ForCausalLM in float32 on cpu, blocks at model\.layers: nnsight 0\./);
    await using model = await loadModel("pocket", { threads: 1 });
    const { weights_sha256, tokenizer_sha256 } = model.provenance;
    expect(opened.states.identity).toEqual({
      backend: "nnsight",
      weights_sha256,
      tokenizer_sha256,
      dtype: "float32",
      device: "cpu",
    });
    expect(opened.states.metadata).toMatchObject({ model: "pocket", nnsight_version: expect.any(String) });
  });

  it("traces runs into the files that the engine writes, with its states", async () => {
    await writeRuns();
    await using model = await loadModel("pocket", { threads: 1 });
    await finishStep(traceRuns(workspace, "math", { model }));
    const local = await readSafetensorsHeader(workspace.hiddenStates("math"));
    const index = await readFile(workspace.hiddenStatesIndex("math"), "utf8");
    const { opened } = await open();
    await using _ = opened;
    const { result, events } = await finishStep(traceRuns(workspace, "math", { model: opened.states }));
    expect(events).toContainEqual(
      expect.objectContaining({ kind: "note", message: expect.stringMatching(/stale: .*model\.backend/) }),
    );
    expect(result.counts).toMatchObject({ questions: 1, runs: 3, layers: 5 });
    const traced = await readSafetensorsHeader(workspace.hiddenStates("math"));
    expect([...traced.tensors.keys()]).toEqual([...local.tensors.keys()]);
    expect(traced.metadata).toMatchObject({ backend: "nnsight", norm_state: "residual", dtype: "float32" });
    expect(await readFile(workspace.hiddenStatesIndex("math"), "utf8")).toBe(index);
    const manifest = await readManifest(manifestPathOf(workspace.hiddenStates("math")));
    expect(manifest?.settings.model).toMatchObject({ backend: "nnsight" });
  });

  it("stops a trace at once when it is cancelled, whatever Python does", async () => {
    await writeRuns();
    const { opened } = await open("pocket", { mode: "hangs" });
    await using _ = opened;
    const controller = new AbortController();
    const tracing = traceRuns(workspace, "math", { model: opened.states, signal: controller.signal });
    await tracing.next();
    const stopped = tracing.next();
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(stopped).rejects.toThrow("enough");
  });
});

describe("openNnsight refuses", () => {
  it("GGUF", async () => {
    const file = join(workspace.root, "model.gguf");
    await writeFile(file, "GGUF");
    await expect(open(file)).rejects.toMatchObject({ code: "unsupported-model" });
  });

  it("NDIF without a key, and models that are not of the hub", async () => {
    await expect(open("openai-community/gpt2", { remote: true })).rejects.toMatchObject({
      code: "bad-option",
      message: expect.stringContaining("NDIF_API_KEY is not set"),
    });
    const env = { ...environment(), NDIF_API_KEY: "key" };
    for (const reference of ["pocket", "./folder"])
      await expect(open(reference, { remote: true, env })).rejects.toMatchObject({
        code: "bad-option",
        message: expect.stringContaining("a model on the Hub that NDIF serves"),
      });
  });

  it("a model of other sizes than the checkpoint states", async () => {
    await expect(open("pocket", { mode: "other-sizes" })).rejects.toMatchObject({
      code: "bad-checkpoint",
      message: expect.stringMatching(/7 blocks of width 256.*states 4 of width 256/),
    });
  });

  it("states of other tokens than were asked for", async () => {
    await writeRuns();
    const { opened } = await open("pocket", { mode: "other-tokens" });
    await using _ = opened;
    await expect(finishStep(traceRuns(workspace, "math", { model: opened.states }))).rejects.toMatchObject({
      code: "bad-artifact",
      message: expect.stringMatching(/for the tokens 0, 0, .*expected/),
    });
  });

  it("a checkpoint without weights, before it starts Python", async () => {
    const folder = join(workspace.root, "checkpoint");
    await cp(fileURLToPath(new URL("../../../models/pocket", import.meta.url)), folder, { recursive: true });
    await rm(join(folder, "model.safetensors"));
    await expect(open(folder)).rejects.toMatchObject({ code: "bad-checkpoint" });
    await expect(asked()).rejects.toThrow(/ENOENT/);
  });
});
