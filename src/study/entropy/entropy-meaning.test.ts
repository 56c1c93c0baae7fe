import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createFakeMeaningModels } from "../../../test/fakes/fake-meaning-models.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { makeRun } from "../../../test/fakes/make-run.ts";
import { createTableEntailer } from "../../../test/fakes/table-entailer.ts";
import type { SemanticEntropyRecord } from "../../entropy/semantic-entropy-record.ts";
import type { ClusterRecord, PairVerdictsRecord } from "../../meaning/cluster-record.ts";
import type { Entailer } from "../../meaning/entailer.ts";
import type { JudgeModel } from "../../meaning/judge-model.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";
import { type ComputeEntropyOptions, computeEntropy } from "./compute-entropy.ts";

let workspace: Workspace;
beforeEach(async () => {
  workspace = openWorkspace(await mkdtemp(join(tmpdir(), "sep-meaning-")));
});
afterEach(() => rm(workspace.root, { recursive: true }));

const run = (options?: ComputeEntropyOptions): ReturnType<typeof finishStep> =>
  finishStep(computeEntropy(workspace, "math", options));

async function readLines<T>(path: string): Promise<T[]> {
  return (await readFile(path, "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}
const readRecords = (): Promise<(SemanticEntropyRecord & ClusterRecord)[]> =>
  readLines(workspace.semanticEntropy("math"));
const readVerdicts = (): Promise<PairVerdictsRecord[]> => readLines(workspace.pairVerdicts("math"));
const usedEquivalence = async (): Promise<unknown> =>
  (await readManifest(manifestPathOf(workspace.semanticEntropy("math"))))?.settings.equivalence;

/** Samples of one question that answer in turn. */
const answering = (
  id: string,
  answers: readonly (string | null)[],
  correctness: RunRecord["correctness"] = "contains",
): RunRecord[] =>
  answers.map((answer, run_id) =>
    makeRun({ question_id: id, run_id, extracted_answer: answer, answer_text: answer ?? "", correctness }),
  );

async function write(...runs: readonly RunRecord[][]): Promise<void> {
  const all = runs.flat();
  await writeJsonl(workspace.runs("math"), all);
  const ids = [...new Set(all.map((each) => each.question_id))];
  await writeJsonl(
    workspace.raw("math"),
    ids.map((id) => ({ id, question: `What is ${id}?`, answer: "x" })),
  );
}

const PARIS = createTableEntailer(
  { "Paris > It is Paris": "entailment", "It is Paris > Paris": "entailment" },
  { question: "What is q1?" },
);

describe("auto", () => {
  test("answers judged as mathematics never need a model, whatever they are", async () => {
    await write(answering("q1", ["1/2", "0.5", "gibberish", "more gibberish"], "math"));
    const models = createFakeMeaningModels();
    await run({ models });
    expect(await usedEquivalence()).toMatchObject({ name: "math" });
    expect((await readRecords())[0]).toMatchObject({
      equivalence: "math",
      cluster_count: 3,
      pair_rules: { math: 1, exact: 5 },
    });
    expect(models.log).toEqual([]);
  });

  test("open answers are compared by words, as mathematics, then by the model, which reads the question", async () => {
    await write(answering("q1", ["Paris", "paris.", "It is Paris", "1/2", "0.5", null]));
    const models = createFakeMeaningModels({ entailer: PARIS });
    const { result } = await run({ models });
    const [record] = await readRecords();
    expect(record).toMatchObject({
      equivalence: "hybrid",
      answers: ["Paris", "paris.", "It is Paris", "1/2", "0.5", null],
      clusters: [{ member_run_ids: [0, 1, 2] }, { member_run_ids: [3, 4] }, { member_run_ids: [5] }],
      pair_rules: { exact: 1, math: 1, nli: 8 },
      clustering: "greedy",
    });
    expect(result.counts).toMatchObject({ pairs: 10, pairs_by_exact: 1, pairs_by_math: 1, pairs_by_nli: 8 });
    expect(PARIS.calls.at(-1)?.[0]).toEqual(["What is q1? Paris", "What is q1? It is Paris"]);
    expect(models.log).toEqual(["open entailer default", "close entailer"]);
  });

  test("the verdicts are on disk, pair by pair, with what the model saw", async () => {
    await write(answering("q1", ["Paris", "It is Paris", "Paris"]));
    await run({ models: createFakeMeaningModels({ entailer: PARIS }) });
    const probs = { entailment: 0.9, neutral: 0.08, contradiction: 0.02, truncated: false };
    expect(await readVerdicts()).toEqual([
      {
        question_id: "q1",
        texts: ["Paris", "It is Paris"],
        pairs: [{ pair: [0, 1], same: true, rule: "nli", forward: probs, backward: probs }],
      },
    ]);
  });

  test("no model is opened where words and numbers decide every pair", async () => {
    await write(answering("q1", ["Paris", "paris.", "Paris!"]), answering("q2", ["1/2", "0.5", "3"]));
    await rm(workspace.raw("math")); // nor are the questions read
    const models = createFakeMeaningModels();
    await run({ models });
    expect(await usedEquivalence()).toEqual({ name: "hybrid", version: 1, undecided: null });
    expect(models.log).toEqual([]);
  });

  test("a model that cannot be had is an error with the ways out, and nothing is written", async () => {
    await write(answering("q1", ["Paris", "Lyon"]));
    await expect(run({ models: createFakeMeaningModels() })).rejects.toMatchObject({
      code: "model-not-cached",
      message: expect.stringMatching(
        /hybrid needs a model for sentence inference: .*--equivalence exact .*math/,
      ),
    });
    await expect(readRecords()).rejects.toThrow(/ENOENT/);
  });
});

test("questions that the raw file lacks are an error where the relation reads them", async () => {
  await write(answering("q1", ["Paris", "Lyon"]), answering("q2", ["a", "b"]));
  await writeJsonl(workspace.raw("math"), [{ id: "q1", question: "Where?", answer: "x" }]);
  const models = createFakeMeaningModels({ entailer: PARIS });
  await expect(run({ models, equivalence: "nli" })).rejects.toMatchObject({
    code: "missing-input",
    message: expect.stringContaining('lacks 1 of the questions that the runs answer, such as "q2"'),
  });
  await rm(workspace.raw("math"));
  await expect(run({ models, equivalence: "nli" })).rejects.toMatchObject({ code: "missing-input" });
  expect(models.log.filter((entry) => entry.startsWith("close")).length).toBe(2);
});

test("pairs of many questions are one batch, and progress counts what is judged", async () => {
  const answers = ["a", "b", "c", "d", "e", "f", "g", "h"]; // 28 pairs
  await write(...Array.from({ length: 25 }, (_, q) => answering(`q${q}`, answers)));
  const entailer = createTableEntailer({});
  const { events } = await run({ models: createFakeMeaningModels({ entailer }), equivalence: "nli" });
  // ten questions have 280 pairs, each judged both ways
  expect(entailer.calls.map((call) => call.length)).toEqual([560, 560, 280]);
  const done = events.flatMap((event) => (event.kind === "advanced" ? [event.done] : []));
  expect(done).toEqual(Array.from({ length: 25 }, (_, q) => q + 1));
});

test("a stop between batches asks for no more verdicts", async () => {
  const answers = ["a", "b", "c", "d", "e", "f", "g", "h"];
  await write(...Array.from({ length: 25 }, (_, q) => answering(`q${q}`, answers)));
  const stop = new AbortController();
  const table = createTableEntailer({});
  const entailer: Entailer = {
    ...table,
    classify: async (pairs, options) => {
      const verdicts = await table.classify(pairs, options);
      stop.abort(new Error("enough"));
      return verdicts;
    },
  };
  const models = createFakeMeaningModels({ entailer });
  await expect(run({ models, equivalence: "nli", signal: stop.signal })).rejects.toThrow("enough");
  expect(table.calls.length).toBe(1);
  expect(models.log).toEqual(["open entailer default", "close entailer"]);
});

test("the model, the rule and the clustering are settings: other ones make the output stale", async () => {
  await write(answering("q1", ["Paris", "It is Paris"]));
  const models = createFakeMeaningModels({ entailer: PARIS });
  const status = async (options: ComputeEntropyOptions): Promise<string> =>
    (await run({ models, equivalence: "nli", ...options })).result.status;
  expect(await status({})).toBe("ran");
  expect(await status({})).toBe("up-to-date");
  expect(await status({ nliRule: "lenient" })).toBe("ran");
  expect(await status({ nliRule: "threshold", nliThreshold: 0.95 })).toBe("ran");
  expect((await readRecords())[0]?.cluster_count).toBe(2);
  expect(await status({ clustering: "spectral" })).toBe("ran");
  expect((await readRecords())[0]).toMatchObject({ clustering: "spectral", cluster_count: 1 });
});

test.each<[ComputeEntropyOptions, RegExp]>([
  [{ equivalence: "nli", nliThreshold: 0.7 }, /--nli-rule threshold/],
  [{ equivalence: "judge" }, /--judge-model/],
  [{ equivalence: "judge", judgeModel: "x", nliRule: "threshold" }, /gives labels/],
  [{ clustering: "kmeans" as "greedy" }, /greedy, components, spectral/],
  [{ equivalence: "exact", clustersFile: "x" }, /Give one/],
])("%j is a bad option", async (options, message) => {
  await write(answering("q1", ["Paris", "Lyon"]));
  const models = createFakeMeaningModels({ entailer: PARIS });
  await expect(run({ models, ...options })).rejects.toMatchObject({ code: "bad-option", message });
});

describe("judge and cosine", () => {
  test("a judge, which may be slow, is asked about few questions at a time", async () => {
    await write(...Array.from({ length: 6 }, (_, q) => answering(`q${q}`, ["a", "b", "c"])));
    let asked = 0;
    const judge: JudgeModel = {
      name: "fake",
      provenance: "fake",
      concurrency: 1,
      complete: async () => {
        asked += 1;
        return "neutral";
      },
    };
    const step = computeEntropy(workspace, "math", {
      models: createFakeMeaningModels({ judge }),
      equivalence: "judge",
      judgeModel: "j",
    });
    const askedBefore: number[] = [];
    for await (const event of step) if (event.kind === "advanced") askedBefore.push(asked);
    // three pairs a question, each asked about both ways; two questions at a time have the four pairs of a batch
    expect(askedBefore).toEqual([12, 12, 24, 24, 36, 36]);
  });

  test("a judge's replies that are no verdict are counted and shown", async () => {
    await write(answering("q1", ["Paris", "It is Paris", "Lyon"]));
    const judge: JudgeModel = {
      name: "fake",
      provenance: "fake",
      concurrency: 2,
      complete: async (prompt) => (prompt.includes("Lyon") ? "who knows" : "entailment"),
    };
    const models = createFakeMeaningModels({ judge });
    const options = { models, equivalence: "judge", judgeModel: "j", judgeUrl: "http://x" } as const;
    const { result } = await run(options);
    expect((await readRecords())[0]).toMatchObject({ cluster_count: 2, pair_rules: { judge: 3 } });
    expect(result.warnings.find(({ code }) => code === "judge-unparsed")?.message).toContain("2 of 3 pairs");
    expect(models.log).toEqual(["open judge at http://x j", "close judge at http://x"]);
  });

  test("cosine has the model's own threshold unless there is another; cut texts are counted", async () => {
    await write(answering("q1", ["Paris", "Paris, France"]));
    await rm(workspace.raw("math")); // it reads no questions
    const embedder = {
      name: "fake",
      provenance: "fake",
      embed: async (texts: readonly string[]) =>
        texts.map((text) => ({
          vector: text === "Paris" ? Float32Array.of(1, 0) : Float32Array.of(0.8, 0.6),
          truncated: text !== "Paris",
        })),
      [Symbol.asyncDispose]: async () => undefined,
    };
    const models = createFakeMeaningModels({ embedder });
    const { result } = await run({ models, equivalence: "cosine" });
    expect(await usedEquivalence()).toMatchObject({ name: "cosine", threshold: 0.75 });
    expect((await readRecords())[0]?.cluster_count).toBe(1);
    expect(result.warnings.map(({ code }) => code)).toContain("meaning-truncated");
    await run({ models, equivalence: "cosine", cosineThreshold: 0.9 });
    expect((await readRecords())[0]?.cluster_count).toBe(2);
  });
});

describe("edited clusters", () => {
  const edit = async (
    change: (
      lines: { question_id: string; clusters: { cluster_id: number; member_run_ids: number[] }[] }[],
    ) => void,
  ): Promise<string> => {
    const lines = await readLines<Parameters<typeof change>[0][number]>(workspace.semanticEntropy("math"));
    change(lines);
    const path = join(workspace.root, "edited.jsonl");
    await writeJsonl(path, lines);
    return path;
  };

  beforeEach(async () => {
    await write(answering("q1", ["4", "four", "5"], "math"), answering("q2", ["1", "2"], "math"));
    await run();
  });

  test("a copy with a run moved is accepted, and the entropies follow", async () => {
    const clustersFile = await edit(([first]) => {
      first!.clusters = [
        { cluster_id: 7, member_run_ids: [2] },
        { cluster_id: 0, member_run_ids: [1, 0] },
        { cluster_id: 3, member_run_ids: [] },
      ];
    });
    const { result } = await run({ clustersFile });
    expect(result.status).toBe("ran");
    expect(await readRecords()).toMatchObject([
      {
        question_id: "q1",
        clusters: [
          { cluster_id: 0, member_run_ids: [0, 1] },
          { cluster_id: 1, member_run_ids: [2] },
        ],
        discrete_semantic_entropy: expect.closeTo(Math.log(3) - (2 / 3) * Math.LN2, 14),
        equivalence: "edited",
        clustering: null,
        pair_rules: {},
        non_transitive_share: null,
      },
      { question_id: "q2", cluster_count: 2, equivalence: "edited" },
    ]);
    expect(await usedEquivalence()).toEqual({
      name: "edited",
      file: "edited.jsonl",
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect((await run({ clustersFile })).result.status).toBe("up-to-date");
  });

  test("everything that is wrong with a file is named", async () => {
    const clustersFile = await edit((lines) => {
      lines[0]!.clusters = [
        { cluster_id: 0, member_run_ids: [0, 1, 9] },
        { cluster_id: 1, member_run_ids: [1] },
      ];
      lines[1] = { question_id: "q3", clusters: [] };
      lines.push(lines[0]!);
    });
    const failure = await run({ clustersFile }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "bad-clusters-file" });
    for (const complaint of [
      'line 2 has question "q3", for which there are no runs',
      'line 3 has question "q1" again',
      "run 1 is in more than one place",
      "run 9 is not one of the question's runs",
      "run 2 is in no cluster",
      'question "q2" is missing',
    ])
      expect((failure as Error).message).toContain(complaint);
  });

  test.each([
    ["not JSON", "{", "line 1"],
    ["no clusters", '{"question_id":"q1"}', '"clusters" is not a list'],
    [
      "a cluster twice",
      '{"question_id":"q1","clusters":[{"cluster_id":0,"member_run_ids":[0]},{"cluster_id":0,"member_run_ids":[1]}]}',
      "cluster_id 0 is there twice",
    ],
  ])("%s is refused", async (_name, line, message) => {
    const path = join(workspace.root, "bad.jsonl");
    await writeFile(path, `${line}\n`);
    await expect(run({ clustersFile: path })).rejects.toMatchObject({
      code: "bad-clusters-file",
      message: expect.stringContaining(message),
    });
  });

  test("a file that is not there is a missing input", async () => {
    const clustersFile = join(workspace.root, "none.jsonl");
    await expect(run({ clustersFile })).rejects.toMatchObject({ code: "missing-input" });
  });
});
