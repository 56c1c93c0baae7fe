import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import type { LanguageModel } from "../../engine/language-model.ts";
import { readProbeDataset } from "../../probes/probe-dataset.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { computeEntropy } from "../entropy/compute-entropy.ts";
import { buildDatasets } from "../probes/build-datasets.ts";
import { traceRuns } from "../tracing/trace-runs.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";
import { asBest } from "./best-answer.ts";
import { generateRuns } from "./generate-runs.ts";
import type { GenerateRunsOptions } from "./plan-generation.ts";
import { resolveSampler } from "./resolve-sampler.ts";

const POCKET = fileURLToPath(new URL("../../../models/pocket", import.meta.url));
const QUESTIONS = Array.from({ length: 12 }, (_, i) => ({
  id: `q${i}`,
  question: `What is ${i} + ${3 * i}?`,
  answer: `${4 * i}`,
}));

describe("best answers", () => {
  let model: LanguageModel;
  let root: string;
  let workspace: Workspace;
  let samples: Buffer;

  beforeAll(async () => {
    model = await loadModel(POCKET, { threads: 1 });
    root = await mkdtemp(join(tmpdir(), "sep-best-"));
    workspace = openWorkspace(root);
    await writeJsonl(workspace.raw("math"), QUESTIONS);
    await finishStep(generate({ runs: 3 }));
    samples = await readFile(workspace.runs("math"));
    await finishStep(generate(best(0.1)));
  });
  afterAll(async () => {
    await model[Symbol.asyncDispose]();
    await rm(root, { recursive: true, force: true });
  });

  const { settings, sources } = resolveSampler({
    provenance: { id: "pocket" } as LanguageModel["provenance"],
    config: { maxPositions: 4096 } as LanguageModel["config"],
    generationDefaults: null,
  });
  const generate = (options: Partial<GenerateRunsOptions>): ReturnType<typeof generateRuns> =>
    generateRuns(workspace, "math", { model, sampler: settings, samplerSources: sources, ...options });
  const best = (temperature: number): Partial<GenerateRunsOptions> => asBest(settings, sources, temperature);

  it("are one a question, at a temperature of their own, beside the samples", async () => {
    const { runs } = await readRuns(workspace.bestRuns("math"));
    expect(runs.map(({ question_id, run_id }) => [question_id, run_id])).toEqual(
      QUESTIONS.map(({ id }) => [id, 0]),
    );
    expect(runs.every(({ sampler }) => sampler.temperature === 0.1)).toBe(true);
    expect(await readFile(workspace.runs("math"))).toEqual(samples);
  });

  it("are drawn from streams of their own, so that they are no copies of the first samples", async () => {
    await finishStep(generate({ ...best(settings.temperature), force: true }));
    const { runs } = await readRuns(workspace.bestRuns("math"));
    const first = (await readRuns(workspace.runs("math"))).runs.filter(({ run_id }) => run_id === 0);
    expect(runs.map(({ tokens }) => tokens)).not.toEqual(first.map(({ tokens }) => tokens));
    await finishStep(generate({ ...best(0.1), force: true }));
  });

  it("are known to the estimates about them, and do not count among the samples", async () => {
    await finishStep(computeEntropy(workspace, "math", { estimates: ["best_sequence_nll", "eigen_score"] }));
    const lines = (await readFile(workspace.semanticEntropy("math"), "utf8")).trimEnd().split("\n");
    const { runs } = await readRuns(workspace.bestRuns("math"));
    for (const [i, line] of lines.entries()) {
      const { best_sequence_nll, clusters } = JSON.parse(line) as {
        best_sequence_nll: number;
        clusters: { member_run_ids: number[] }[];
      };
      const nll = -runs[i]!.token_logprobs.reduce((sum, value) => sum + value, 0);
      expect(best_sequence_nll).toBeCloseTo(nll, 5);
      expect(clusters.flatMap(({ member_run_ids }) => member_run_ids).sort()).toEqual([0, 1, 2]);
    }
  });

  it("are what is traced, and what probes see, unless the samples are asked for", async () => {
    await finishStep(traceRuns(workspace, "math", { model, layers: [4], positions: ["last-token"] }));
    const states = await openHiddenStates(workspace.hiddenStates("math"));
    expect(states.metadata.answers).toBe("best");
    expect(states.rowCount("last-token")).toBe(QUESTIONS.length);
    await finishStep(buildDatasets(workspace, { position: "last-token" }));
    const { runs } = await readRuns(workspace.bestRuns("math"));
    const isCorrect = new Map(runs.map((run) => [run.question_id, run.is_correct ? 1 : 0]));
    const train = await readProbeDataset(workspace.probeDataset("math_train"));
    expect(Array.from(train.correct)).toEqual(train.questionIds.map((id) => isCorrect.get(id)));
    expect(new Set(train.questionIds).size).toBe(train.questionIds.length);

    const options = { model, layers: [4], positions: ["last-token" as const] };
    await finishStep(traceRuns(workspace, "math", { ...options, answers: "samples" }));
    const all = await openHiddenStates(workspace.hiddenStates("math"));
    expect(all.metadata.answers).toBe("samples");
    expect(all.rowCount("last-token")).toBe(3 * QUESTIONS.length);
  });

  it("are refused beside samples that were asked for in another way", async () => {
    await finishStep(generate({ runs: 3, systemPrompt: "Be brief.", force: true }));
    for (const step of [
      computeEntropy(workspace, "math"),
      traceRuns(workspace, "math", { model, layers: [4] }),
    ])
      await expect(finishStep(step)).rejects.toThrow(/math_best_runs\.jsonl .* system_prompt differ/);
  });
});
