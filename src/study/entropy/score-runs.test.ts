import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFakeMeaningModels } from "../../../test/fakes/fake-meaning-models.ts";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { makeRun } from "../../../test/fakes/make-run.ts";
import { createTableEntailer } from "../../../test/fakes/table-entailer.ts";
import oatml from "../../../test/fixtures/foreign/oatml.json" with { type: "json" };
import { ESTIMATES } from "../../entropy/measures/estimate-registry.ts";
import { MOST_COMPARED_WORDS } from "../../entropy/pair-measures.ts";
import { meanClusterSurprisal, semanticEntropy } from "../../entropy/semantic-entropy.ts";
import type { SemanticEntropyRecord } from "../../entropy/semantic-entropy-record.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import type { StepEvent, StepResult } from "../step.ts";
import { openWorkspace } from "../workspace.ts";
import { computeEntropy } from "./compute-entropy.ts";
import { scoreRuns } from "./score-runs.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-score-"));
});
afterEach(() => rm(folder, { recursive: true }));

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../../test/fixtures/foreign/${name}`, import.meta.url));

interface Scored {
  readonly events: readonly StepEvent[];
  readonly result: StepResult;
  readonly records: readonly SemanticEntropyRecord[];
}

async function drive(step: AsyncGenerator<StepEvent, StepResult>): Promise<Scored> {
  const finished = await finishStep(step);
  const lines = (await readFile(finished.result.outputs[0]!, "utf8")).trimEnd().split("\n");
  return { ...finished, records: lines.map((line) => JSON.parse(line)) };
}

const score = (path: string, options: Parameters<typeof scoreRuns>[2] = {}): Promise<Scored> =>
  drive(scoreRuns(openWorkspace(folder), path, { equivalence: "exact", now: () => 0, ...options }));

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

test("answers alone: discrete semantic entropy, null for what needs log-probabilities, and a word about it", async () => {
  const path = join(folder, "poll.jsonl");
  await writeFile(
    path,
    '{"id":"a","question":"Capital of Peru?","answers":["Lima","lima.","Quito"]}\n{"id":"b","answers":["x","y"]}\n{"id":"c","answers":["alone"]}\n',
  );
  const { events, result, records } = await score(path);
  expect(result.outputs).toEqual([join(folder, "data", "poll_semantic_entropy.jsonl")]);
  expect(records).toMatchObject([
    {
      question_id: "a",
      answers: ["Lima", "lima", "Quito"],
      clusters: [{ member_run_ids: [0, 1] }, { member_run_ids: [2] }],
      cluster_probs: [expect.closeTo(2 / 3, 14), expect.closeTo(1 / 3, 14)],
      cluster_weights: "counts",
      semantic_entropy: null,
      discrete_semantic_entropy: expect.closeTo(Math.log(3) - (2 / 3) * Math.LN2, 14),
      regular_entropy: null,
      cluster_count: 2,
      equivalence: "exact",
      accuracy: null,
    },
    { question_id: "b", discrete_semantic_entropy: expect.closeTo(Math.LN2, 14) },
  ]);
  expect(events).toContainEqual({
    kind: "note",
    step: "entropy",
    part: "poll",
    message: `${path} contains questions with their answers, one per line; answers are compared by "exact"`,
  });
  const warnings = Object.fromEntries(
    result.warnings.map(({ code, message }) => [`${code}: ${message}`, true]),
  );
  expect(Object.keys(warnings)).toEqual([
    "too-few-samples: 1 questions with fewer than 2 samples were left out, since semantic entropy needs at least 2.",
    expect.stringMatching(/^uneven-samples/),
    expect.stringMatching(/^few-questions/),
    "estimate-missing: semantic_entropy, regular_entropy: null for 2 of 2 questions, which lack log-probabilities and token counts of answers. discrete_semantic_entropy does not need them.",
    "estimate-missing: sum_logprob_semantic_entropy: null for 2 of 2 questions, which lack log-probabilities of whole answers.",
    "estimate-missing: mean_token_entropy: null for 2 of 2 questions, which lack token entropies.",
  ]);
});

test("a study's own runs have the numbers that the study has", async () => {
  const workspace = openWorkspace(folder);
  await writeJsonl(
    workspace.runs("math"),
    ["1/2", "0.5", "2", null].map((extracted_answer, run_id) =>
      makeRun({ run_id, extracted_answer, token_logprobs: [-run_id, -1, 0] }),
    ),
  );
  const options = { estimates: "all", equivalence: "auto", now: () => 0 } as const;
  const own = await drive(computeEntropy(workspace, "math", options));
  const output = join(folder, "elsewhere.jsonl");
  const scored = await score(workspace.runs("math"), { ...options, output });
  expect(scored.records).toEqual(own.records);
  expect(scored.records[0]?.cluster_count).toBe(3);
  expect(scored.result.outputs).toEqual([output]);
});

test("OATML's generations under OATML's mode, without an NLI model", async () => {
  const { records, result } = await score(fixture("oatml.json"), { seMode: "oatml", estimates: "all" });
  const logprobs = oatml.tc_0.responses.map((response) => mean(response[1] as number[]));
  expect(records[0]).toMatchObject({
    question_id: "tc_0",
    semantic_entropy: expect.closeTo(meanClusterSurprisal([0, 0, 1], logprobs, "sum"), 12),
    nature_semantic_entropy: expect.closeTo(semanticEntropy([0, 0, 1], logprobs), 12),
    regular_entropy: expect.closeTo(-mean(logprobs), 12),
    best_log_perplexity: expect.closeTo(-mean(oatml.tc_0.most_likely_answer.token_log_likelihoods), 12),
    eigen_score: expect.any(Number),
    accuracy: 2 / 3,
    luq: null,
  });
  expect(result.warnings).toContainEqual({
    code: "mode-without-nli",
    message: expect.stringContaining('2 of 2 questions have none: their clusters are those of "exact"'),
  });
});

test("lm-polygraph's verdicts stand in for an NLI model, and cluster the answers under a mode", async () => {
  const plain = await score(fixture("polygraph.json"), { estimates: ["luq", "eigv_entail"] });
  expect(plain.records.map(({ luq }) => luq)).toEqual([expect.any(Number), expect.any(Number)]);
  expect(plain.records[0]?.cluster_count).toBeUndefined();
  expect(plain.records[0]?.clusters).toHaveLength(2);
  const { records, result } = await score(fixture("polygraph.json"), {
    seMode: "nature",
    output: join(folder, "x.jsonl"),
  });
  // none of the fixture's verdicts is entailment both ways
  expect(records.map(({ clusters }) => clusters.length)).toEqual([3, 3]);
  expect(result.warnings.map(({ code }) => code)).not.toContain("mode-without-nli");
});

test("every estimate has its key, and the cost of each is told", async () => {
  const { events, records } = await score(fixture("python_runs.jsonl"), { estimates: "all" });
  const cost = events.find((event) => event.kind === "estimates");
  expect(cost?.kind === "estimates" && cost.costs.map(({ name }) => name)).toEqual(
    ESTIMATES.map(({ name }) => name),
  );
  for (const { name } of ESTIMATES) expect(records[0]).toHaveProperty(name);
  expect(records[0]).toMatchObject({ mean_token_entropy: expect.any(Number), semantic_entropy: null });
});

test("it runs again when the file or the choice changes, and only then", async () => {
  const path = join(folder, "poll.jsonl");
  await writeFile(path, '{"answers":["a","b"]}\n');
  expect((await score(path)).result.status).toBe("ran");
  expect((await score(path)).result.status).toBe("up-to-date");
  expect((await score(path, { seMode: "kuhn" })).result.status).toBe("ran");
  expect((await score(path, { seMode: "kuhn", estimates: ["luq"] })).result.status).toBe("ran");
  await appendFile(path, '{"answers":["a","b"]}\n');
  expect((await score(path, { seMode: "kuhn", estimates: ["luq"] })).result.counts.questions).toBe(2);
});

test("auto goes by what the answers are; a model that it needs and cannot have is an error", async () => {
  const path = join(folder, "poll.jsonl");
  await writeFile(path, '{"answers":["\\\\boxed{1/2}","0.5","So it is 2"]}\n');
  const { records } = await score(path, { equivalence: "auto", models: createFakeMeaningModels() });
  expect(records[0]).toMatchObject({ equivalence: "math", answers: ["1/2", "0.5", "2"], cluster_count: 2 });
  await writeFile(path, '{"answers":["Lima","Quito"]}\n');
  const open = score(path, { equivalence: "auto", models: createFakeMeaningModels() });
  await expect(open).rejects.toMatchObject({ code: "model-not-cached" });
  const entailer = createTableEntailer({});
  await expect(
    score(path, { equivalence: "nli", models: createFakeMeaningModels({ entailer }) }),
  ).rejects.toMatchObject({
    code: "missing-input",
    message: expect.stringContaining('Add it as "question"'),
  });
});

test("what stands in the way is an error that says so", async () => {
  const path = join(folder, "poll.jsonl");
  await writeFile(path, '{"answers":["alone"]}\nnonsense');
  await expect(score(path)).rejects.toMatchObject({
    code: "too-few-questions",
    message: expect.stringMatching(/got 1 questions with one sample\. line 2: partial last line/),
  });
  await expect(score(join(folder, "none"))).rejects.toMatchObject({ code: "missing-input" });
  await expect(score(path, { estimates: ["nonsense"] })).rejects.toMatchObject({ code: "bad-option" });
});

test("of answers that are longer than what is compared, the first words count, and a warning says how many", async () => {
  const path = join(folder, "long.jsonl");
  const words = (count: number, first: string): string =>
    Array.from({ length: count }, (_, i) => `${first}${i % 1000}`).join(" ");
  const [cut, long] = [words(MOST_COMPARED_WORDS, "w"), words(MOST_COMPARED_WORDS, "w")];
  const row = (run_id: number, answer_text: string) =>
    JSON.stringify({ question_id: "a", run_id, prompt: "", answer_text, token_logprobs: [-1] });
  await writeFile(path, [row(0, `${cut} one two`), row(1, `${long} three`), row(2, "w0 w1")].join("\n"));
  const { result, records } = await score(path, { estimates: ["lexical_similarity"] });
  const pair = 4 / (MOST_COMPARED_WORDS + 2);
  expect(records[0]).toMatchObject({ lexical_similarity: expect.closeTo(-(1 + 2 * pair) / 3, 12) });
  expect(result.warnings).toContainEqual({
    code: "long-answers",
    message: expect.stringContaining("lexical_similarity: 2 of 3 answers have more than 16384 words"),
  });
});
