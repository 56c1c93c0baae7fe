import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requirePart } from "../src/backends/load-backend.ts";
import { openVllm } from "../src/backends/vllm/open-vllm.ts";
import { loadModel } from "../src/checkpoint/load-model.ts";
import { runCli } from "../src/cli/run-cli.ts";
import type { SamplerSettings } from "../src/engine/generate/sampler-settings.ts";
import type { LanguageModel } from "../src/engine/language-model.ts";
import { createRng } from "../src/math/rng.ts";
import { drain } from "../src/net/map-concurrently.ts";
import { loadQuestions } from "../src/samples/load-questions.ts";
import { readRuns } from "../src/samples/read-runs.ts";
import type { RunRecord } from "../src/samples/run-record.ts";
import { computeEntropy } from "../src/study/entropy/compute-entropy.ts";
import { generateRuns } from "../src/study/steps/generate-runs.ts";
import { prepareQuestions } from "../src/study/steps/prepare-questions.ts";
import { traceRuns } from "../src/study/steps/trace-runs.ts";
import { openWorkspace, type Workspace } from "../src/study/workspace.ts";
import { createFakeCli } from "./fakes/cli-context.ts";
import { type FakeFault, startFakeVllm } from "./fakes/fake-vllm.ts";
import { createLocalStreams } from "./fakes/local-streams.ts";
import { PLAIN_SAMPLER } from "./fakes/plain-sampler.ts";
import { readTensors } from "./read-tensors.ts";

const SAMPLER: SamplerSettings = { ...PLAIN_SAMPLER, temperature: 1.2, topP: 0.95, maxNewTokens: 60 };
const RUNS = 4;
const QUESTIONS = 10;
const LAYERS = [0, 2, 4];
const SEED = 42;
/** A whole study each. */
const HOOK_LIMIT_MS = 60_000;

let model: LanguageModel;
let root: string;
let streamOf: ReturnType<typeof createLocalStreams>;
let local: Workspace;

beforeAll(async () => {
  model = await loadModel("pocket", { threads: 1 });
  root = await mkdtemp(join(tmpdir(), "sep-vllm-"));
  local = await freshStudy("local");
  const { questions } = await loadQuestions(local.raw("math"));
  streamOf = createLocalStreams(
    SEED,
    questions.map(({ id }) => id),
    RUNS,
  );
  await drain(generateRuns(local, "math", { model, sampler: SAMPLER, runs: RUNS, seed: SEED }));
  await drain(computeEntropy(local, "math", {}));
  await drain(traceRuns(local, "math", { model, layers: LAYERS }));
}, HOOK_LIMIT_MS);
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

async function freshStudy(name: string): Promise<Workspace> {
  const workspace = openWorkspace(join(root, name));
  await drain(prepareQuestions(workspace, "math", { source: "word-problems", limit: QUESTIONS }));
  return workspace;
}

/** Steps 2 to 4 on a fake server, of which some requests go wrong. */
async function runOnVllm(
  name: string,
  fault: (n: number) => FakeFault | null = () => null,
  { limitMs, isOnePass = false }: { readonly limitMs?: number; readonly isOnePass?: boolean } = {},
): Promise<Workspace> {
  const workspace = await freshStudy(name);
  const folder = join(root, `${name}-states`);
  await using server = await startFakeVllm({ model, streamOf, states: { folder, layers: LAYERS }, fault });
  const choice = { urls: server.url, limitMs, concurrency: 4 };
  // waits of the real lengths would only make the test longer
  const hub = {
    sleep: (durationMs: number) => new Promise<void>((done) => setTimeout(done, Math.min(durationMs, 20))),
  };
  const options = { root: workspace.root, hub, layers: LAYERS };
  {
    await using opened = await drain(openVllm("pocket", choice, options));
    const [answers, states] = [requirePart(opened, "answers"), requirePart(opened, "states")];
    const drawing = { sampler: SAMPLER, runs: RUNS, seed: SEED, model: answers };
    const traced = isOnePass ? { backend: states, layers: LAYERS } : undefined;
    await drain(generateRuns(workspace, "math", { ...drawing, states: traced }));
    await drain(computeEntropy(workspace, "math", {}));
    const before = server.requests.length;
    await drain(traceRuns(workspace, "math", { model: states, layers: LAYERS }));
    if (isOnePass) expect(server.requests.length, "no answer is read twice").toBe(before);
  }
  expect(await readdir(folder), "no file of hidden states is left").toEqual([]);
  return workspace;
}

const bytesOf = async (workspace: Workspace): Promise<Record<string, string>> => {
  const files = [
    workspace.runs("math"),
    workspace.semanticEntropy("math"),
    workspace.hiddenStates("math"),
    workspace.hiddenStatesIndex("math"),
  ];
  return Object.fromEntries(
    await Promise.all(
      files.map(async (file) => [
        file.slice(workspace.root.length),
        (await readFile(file)).toString("base64"),
      ]),
    ),
  );
};

describe.each([
  ["answers first, states then", false],
  ["answers with their states", true],
])("the pipeline on vLLM: %s", (way, isOnePass) => {
  let undisturbed: Workspace;
  beforeAll(async () => {
    undisturbed = await runOnVllm(way, undefined, { isOnePass });
  }, HOOK_LIMIT_MS);

  it("gives the local engine's answers, with its log-probabilities", async () => {
    const ours = (await readRuns(local.runs("math"))).runs;
    const theirs = (await readRuns(undisturbed.runs("math"))).runs;
    expect(theirs.length).toBe(QUESTIONS * RUNS);
    const plain = ({ token_logprobs, token_entropies, mean_think_entropy, ...run }: RunRecord) => ({
      ...run,
      backend: null,
      token_entropies_over: null,
      sample_seed: null,
    });
    expect(theirs.map(plain)).toEqual(ours.map(plain));
    expect(new Set(theirs.map(({ backend }) => backend))).toEqual(new Set(["vllm"]));
    expect(new Set(theirs.map(({ sample_seed }) => sample_seed)).size).toBe(QUESTIONS * RUNS);
    for (const [i, run] of theirs.entries()) {
      for (const [t, logprob] of run.token_logprobs.entries())
        expect(Math.abs(logprob - ours[i]!.token_logprobs[t]!)).toBeLessThan(1e-4); // float32, in another order
      for (const [t, entropy] of run.token_entropies.entries())
        expect(entropy, "the top 20 alone have less").toBeLessThan(ours[i]!.token_entropies[t]! + 1e-4);
    }
    expect(theirs.some(({ think_status }) => think_status === "closed")).toBe(true);
  });

  it.each([
    ["passes", [0, 2, 4], 0, /ok agreement +\d+ of \d+ /],
    ["fails where the server reads other layers", [0, 1, 4], 1, /layers/],
  ])("sep trace --verify --backend vllm %s", async (_what, layers, code, said) => {
    const folder = join(root, `${way}-verified-${layers.join("-")}`);
    await using extracting = await startFakeVllm({ model, states: { folder, layers } });
    const cli = createFakeCli();
    const options = [
      "--model",
      "pocket",
      "--layers",
      LAYERS.join(),
      "--set",
      "math",
      "--out",
      undisturbed.root,
    ];
    const vllm = ["--backend", "vllm", "--vllm-url", extracting.url];
    const ended = await runCli(["trace", "--verify", ...vllm, ...options], cli.context);
    expect({ code: ended, output: cli.stdout() + cli.stderr() }).toEqual({
      code,
      output: expect.stringMatching(said),
    });
    expect(await readdir(folder).catch(() => []), "no file of hidden states is left").toEqual([]);
    if (code === 0) expect(extracting.requests.length).toBeGreaterThan(0);
  });

  it("gives the same clusters and semantic entropies", async () => {
    const read = async (workspace: Workspace) =>
      (await readFile(workspace.semanticEntropy("math"), "utf8"))
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { clusters: unknown; semantic_entropy: number });
    const [ours, theirs] = [await read(local), await read(undisturbed)];
    expect(theirs.map(({ clusters }) => clusters)).toEqual(ours.map(({ clusters }) => clusters));
    expect(theirs.some(({ semantic_entropy }) => semantic_entropy > 0)).toBe(true);
    for (const [i, { semantic_entropy }] of theirs.entries())
      expect(Math.abs(semantic_entropy - ours[i]!.semantic_entropy)).toBeLessThan(1e-4);
  });

  it("gives the same hidden states", async () => {
    const ours = await readTensors(local.hiddenStates("math"));
    const theirs = await readTensors(undisturbed.hiddenStates("math"));
    expect(Object.keys(theirs)).toEqual(Object.keys(ours));
    let largest = 0;
    for (const [name, tensor] of Object.entries(ours))
      for (const [i, value] of tensor.entries())
        largest = Math.max(largest, Math.abs(value - theirs[name]![i]!) / (1 + Math.abs(value)));
    expect(largest).toBeLessThan(1e-4); // float32: one sequence there, over the prompt's keys here
  });

  it("ends with the same bytes where a fifth of all requests goes wrong", {
    tags: ["long"],
    timeout: 120_000,
  }, async () => {
    const rng = createRng("faults", 1);
    let next = 0;
    const fault = (): FakeFault | null =>
      rng.next() < 0.2 ? (FAULTS[next++ % FAULTS.length] as FakeFault) : null;
    const disturbed = await runOnVllm(`${way}, faults`, fault, { limitMs: 6_000, isOnePass });
    expect(next, "every kind of fault was met").toBeGreaterThanOrEqual(FAULTS.length);
    expect(await bytesOf(disturbed)).toEqual(await bytesOf(undisturbed));
  });
});

const FAULTS: readonly FakeFault[] = [
  { kind: "status", status: 429, retryAfter: "1" },
  { kind: "status", status: 500 },
  { kind: "status", status: 503 },
  { kind: "reset" },
  { kind: "hang" },
  { kind: "cut" },
  { kind: "file", file: "late" },
  { kind: "file", file: "short" },
  { kind: "file", file: "other-ids" },
  { kind: "file", file: "zero" },
];
