import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFakeMeaningModels } from "../../../test/fakes/fake-meaning-models.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { makeRun } from "../../../test/fakes/make-run.ts";
import { createTableEntailer } from "../../../test/fakes/table-entailer.ts";
import { writeStudy } from "../../../test/fakes/write-study.ts";
import { loadModel } from "../../checkpoint/load-model.ts";
import { meanClusterSurprisal, sumLogprobSemanticEntropy } from "../../entropy/semantic-entropy.ts";
import type { SemanticEntropyRecord } from "../../entropy/semantic-entropy-record.ts";
import { buildPTruePrompt, eigenScore, logPTrue, openPTruePrompt } from "../../entropy/state-measures.ts";
import type { TextEmbedder } from "../../meaning/cosine-equivalence.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import type { StepResult } from "../step.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";
import { type ComputeEntropyOptions, computeEntropy } from "./compute-entropy.ts";
import { readPTrueShots } from "./read-p-true-shots.ts";

let workspace: Workspace;
beforeEach(async () => {
  workspace = openWorkspace(await mkdtemp(join(tmpdir(), "sep-estimates-")));
});
afterEach(() => rm(workspace.root, { recursive: true }));

async function run(
  options: ComputeEntropyOptions,
): Promise<{ readonly result: StepResult; readonly records: readonly SemanticEntropyRecord[] }> {
  const { result } = await finishStep(computeEntropy(workspace, "math", { now: () => 0, ...options }));
  const lines = (await readFile(workspace.semanticEntropy("math"), "utf8")).trimEnd().split("\n");
  return { result, records: lines.map((line) => JSON.parse(line)) };
}

/** Samples of one question that say what was asked. */
const answering = (...answers: readonly (string | null)[]): RunRecord[] =>
  answers.map((answer, run_id) =>
    makeRun({
      question: "What is q1?",
      run_id,
      extracted_answer: answer,
      answer_text: answer ?? "",
      correctness: "contains",
      token_logprobs: [-run_id - 1, -1, 0],
    }),
  );

/** b means what a and c mean, which are not each other; d contradicts them all. */
const TABLE = {
  "a > b": "entailment",
  "b > a": "entailment",
  "c > b": "entailment",
  "b > c": "entailment",
  "d > a": "contradiction",
  "d > b": "contradiction",
  "c > d": "contradiction",
} as const;

test("the modes group by the model's verdicts, each in its way, and read the question or not", async () => {
  await writeJsonl(workspace.runs("math"), answering("a", "c", "b", "d"));
  const [means, sums] = [[-2, -3, -4, -5].map((sum) => sum / 3), [-2, -3, -4, -5]];
  const groups = {
    nature: [[0, 2], [1], [3]],
    oatml: [[0], [1, 2], [3]], // the later founder takes b over
    kuhn: [[0, 1, 2], [3]], // neutral is no contradiction
    notebook: [[0, 2], [1], [3]],
  };
  const expected = {
    nature: expect.any(Number),
    oatml: meanClusterSurprisal([0, 1, 1, 2], means, "sum"),
    kuhn: meanClusterSurprisal([0, 0, 0, 1], means, "sum"),
    notebook: sumLogprobSemanticEntropy([0, 1, 0, 2], sums),
  };
  for (const seMode of ["nature", "oatml", "kuhn", "notebook"] as const) {
    const question = seMode === "notebook" ? "" : "What is q1?";
    const entailer = createTableEntailer(TABLE, { question: seMode === "notebook" ? null : question });
    const { records, result } = await run({
      equivalence: "nli",
      seMode,
      models: createFakeMeaningModels({ entailer }),
    });
    expect(
      records[0]?.clusters.map(({ member_run_ids }) => member_run_ids),
      seMode,
    ).toEqual(groups[seMode]);
    expect(records[0]?.semantic_entropy, seMode).toEqual(expected[seMode]);
    expect(records[0]).toMatchObject({
      clustering: null,
      order_sensitivity: null,
      non_transitive_share: null,
    });
    expect(entailer.calls[0]?.[0]).toEqual(
      seMode === "notebook" ? ["a", "c"] : ["What is q1? a", "What is q1? c"],
    );
    expect(result.warnings.map(({ code }) => code)).not.toContain("mode-without-nli");
    const manifest = await readManifest(manifestPathOf(workspace.semanticEntropy("math")));
    expect(manifest?.settings).toMatchObject({ se_mode: seMode });
  }
});

test("verdicts that clustering leaves behind serve the estimates; no model is opened for them", async () => {
  await writeJsonl(workspace.runs("math"), answering("a", "c", "b", null));
  const models = createFakeMeaningModels({
    entailer: createTableEntailer(TABLE, { question: "What is q1?" }),
  });
  const { records } = await run({
    equivalence: "nli",
    estimates: ["luq", "eigv_contra", "semantic_sets"],
    models,
  });
  expect(records[0]).toMatchObject({
    luq: expect.any(Number),
    eigv_contra: expect.any(Number),
    semantic_sets: 2,
  });
  expect(models.log).toEqual(["open entailer default", "close entailer"]);
});

test("a model that the user names fills in what clustering did not ask; unnamed, none is fetched", async () => {
  await writeJsonl(workspace.runs("math"), answering("a", "b"));
  const embedder: TextEmbedder = {
    name: "fake",
    provenance: "fake",
    embed: async (texts) =>
      texts.map((text) => ({
        vector: text === "a" ? Float32Array.of(1, 0) : Float32Array.of(Math.SQRT1_2, Math.SQRT1_2),
        truncated: false,
      })),
    [Symbol.asyncDispose]: async () => undefined,
  };
  const entailer = createTableEntailer(TABLE, { question: "What is q1?" });
  const models = createFakeMeaningModels({ entailer, embedder });
  const estimates = ["luq", "eigv_cosine"];
  const without = await run({ equivalence: "exact", estimates, models });
  expect(without.records[0]).toMatchObject({ luq: null, eigv_cosine: null, clusters: [{}, {}] });
  expect(without.result.warnings.map(({ message }) => message)).toContain(
    "luq: null for 1 of 1 questions, which lack an NLI model's verdicts on all pairs of answers.",
  );
  expect(models.log).toEqual([]);
  const named = await run({
    equivalence: "exact",
    estimates,
    models,
    nliModel: "org/nli",
    cosineModel: "org/cos",
    force: true,
  });
  expect(named.records[0]).toMatchObject({
    luq: expect.closeTo(1 - 0.9 / 0.92, 12),
    // both have the weights 1 and cos 45 degrees: 1 - lambda is 1 and (1 - cos) / (1 + cos)
    eigv_cosine: expect.closeTo(1 + (1 - Math.SQRT1_2) / (1 + Math.SQRT1_2), 6), // float32 embeddings
  });
  expect(models.log).toEqual([
    "open entailer org/nli",
    "open embedder org/cos",
    "close entailer",
    "close embedder",
  ]);
});

test("SelfCheck reads a main answer of several sentences one by one", async () => {
  const long = "It is a. It is d.";
  await writeJsonl(workspace.runs("math"), answering(long, "a", "b"));
  const entailer = createTableEntailer(
    {
      "It is d. > a": "contradiction",
      "It is d. > b": [0.5, 0, 0.5],
      "It is a. > a": [1, 0, 0],
      "It is a. > b": [1, 0, 0],
    },
    { question: "What is q1?" },
  );
  const models = createFakeMeaningModels({ entailer });
  const { records } = await run({ equivalence: "nli", estimates: ["selfcheck_nli"], models });
  expect(records[0]?.selfcheck_nli).toBeCloseTo((0.9 / 0.91 + 0.5) / 4, 14);
});

test("hidden states that were traced give an EigenScore; it is computed anew when they change", async () => {
  await rm(workspace.root, { recursive: true });
  await writeStudy(workspace.root, { questions: 4, samples: 3, withOod: false });
  const { records } = await run({ estimates: ["eigen_score"], force: true });
  const states = await openHiddenStates(workspace.hiddenStates("math"));
  const flat = await states.read("second-to-last", 1, [0, 1, 2]); // of layers 0 to 3 the first nearest to the middle
  const Z = [0, 1, 2].map((row) => flat.subarray(row * states.width, (row + 1) * states.width));
  expect(records[0]?.eigen_score).toBeCloseTo(eigenScore(Z), 12);
  expect((await run({ estimates: ["eigen_score"] })).result.status).toBe("up-to-date");
  await rm(workspace.hiddenStates("math"));
  const gone = await run({ estimates: ["eigen_score"] });
  expect(gone.result.status).toBe("ran");
  expect(gone.records[0]?.eigen_score).toBeNull();
});

test("a language model says how likely its answers are true", async () => {
  await writeJsonl(workspace.runs("math"), answering("a", "c", "a"));
  const checkpoint = fileURLToPath(new URL("../../../test/golden/checkpoints/qwen3-tied", import.meta.url));
  await using model = await loadModel(checkpoint, { threads: 1 });
  const prompt = buildPTruePrompt({ question: "What is q1?", brainstormed: ["a", "c", "a"], answer: "a" });
  const logp = await logPTrue(model, prompt);
  const { records } = await run({ equivalence: "exact", estimates: ["p_false"], pTrueModel: model });
  expect(records[0]?.p_false).toBe(1 - Math.exp(logp));
  const shots = join(workspace.root, "shots.jsonl");
  const examples = [
    { question: "What is s1?", answers: ["x", "y"], is_correct: [true, false] },
    { question: "What is s2?", answers: ["z", "z"], is_correct: [false, false] },
  ];
  await writeFile(shots, examples.map((line) => JSON.stringify(line)).join("\n"));
  const pTrueShots = await readPTrueShots(shots, { count: 2 });
  expect(pTrueShots.map(({ question }) => question).sort()).toEqual(["What is s1?", "What is s2?"]);
  expect(pTrueShots.find(({ question }) => question === "What is s1?")).toEqual({
    question: "What is s1?",
    answer: "x",
    brainstormed: ["y"],
    correct: true,
  });
  const asked = { equivalence: "exact", estimates: ["p_false"], pTrueModel: model } as const;
  const shown = await run({ ...asked, pTrueShots });
  const ownCase = { question: "What is q1?", brainstormed: ["a", "c", "a"], answer: "a" };
  const opening = openPTruePrompt(pTrueShots);
  expect(shown.records[0]?.p_false).toBe(
    1 - Math.exp(await logPTrue(model, buildPTruePrompt(ownCase, pTrueShots), { opening })),
  );
  expect((await run({ ...asked, pTrueShots })).result.status).toBe("up-to-date");
  await expect(run({ ...asked, pTrueShots: [{ ...ownCase, correct: true }] })).rejects.toThrow(
    "would be in its own prompt",
  );
  await expect(readPTrueShots(shots, { count: 3 })).rejects.toThrow("has 2 questions");
  await expect(readPTrueShots(shots, { count: 1 })).rejects.toThrow("teaches the model to say the same");
  await expect(run({ equivalence: "exact", pTrueModel: model })).rejects.toMatchObject({
    code: "bad-option",
    message: expect.stringContaining("--estimates p_false"),
  });
});
