import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { finishStep } from "../../../test/fakes/finish-step.ts";
import { makeRun } from "../../../test/fakes/make-run.ts";
import type { SemanticEntropyRecord } from "../../entropy/semantic-entropy-record.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { openWorkspace, type Workspace } from "../workspace.ts";
import { computeEntropy } from "./compute-entropy.ts";

let folder: string;
let workspace: Workspace;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "sep-entropy-"));
  workspace = openWorkspace(folder);
});
afterEach(() => rm(folder, { recursive: true }));

const run = (options?: Parameters<typeof computeEntropy>[2]): ReturnType<typeof finishStep> =>
  finishStep(computeEntropy(workspace, "math", options));

const readRecords = async (): Promise<SemanticEntropyRecord[]> =>
  (await readFile(workspace.semanticEntropy("math"), "utf8"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

const answering = (question_id: string, run_id: number, answer: string | null, changes = {}): RunRecord =>
  makeRun({ question_id, run_id, extracted_answer: answer, answer_text: answer ?? "", ...changes });

/** q2 comes first and its lines are out of order; q1 agrees. */
const RUNS = [
  answering("q2", 2, "5", { is_correct: false, token_logprobs: [-1, -1, -1] }),
  answering("q2", 0, "4", { token_logprobs: [-3, 0, 0] }),
  answering("q1", 0, "1/2"),
  answering("q2", 3, null, {
    is_correct: false,
    tokens: [1],
    token_logprobs: [-1],
    token_entropies: [2],
    think_token_indices: [0, 1],
    think_status: "truncated",
  }),
  answering("q2", 1, "4.0", { token_logprobs: [-1, -1, -1] }),
  answering("q1", 1, "0.5"),
];

test("worked by hand: every estimate of two questions", async () => {
  await writeJsonl(workspace.runs("math"), RUNS);
  await run();
  const [first, second] = await readRecords();
  // All four means are -1; of the sums, -3 -3 -3 -1, the last weighs e^2 times as much as each other.
  const weight = Math.exp(2);
  const shares = [2, 1, weight].map((w) => w / (3 + weight));
  expect(first).toEqual({
    question_id: "q2",
    answers: ["4", "4.0", "5", null],
    clusters: [
      { cluster_id: 0, member_run_ids: [0, 1] },
      { cluster_id: 1, member_run_ids: [2] },
      { cluster_id: 2, member_run_ids: [3] },
    ],
    // Digits below: float64 rounding of a few operations.
    cluster_probs: [expect.closeTo(0.5, 14), expect.closeTo(0.25, 14), expect.closeTo(0.25, 14)],
    semantic_entropy: expect.closeTo(1.5 * Math.LN2, 14),
    discrete_semantic_entropy: expect.closeTo(1.5 * Math.LN2, 14),
    sum_logprob_semantic_entropy: expect.closeTo(-shares.reduce((sum, p) => sum + p * Math.log(p), 0), 14),
    regular_entropy: 1,
    mean_token_entropy: (0.25 + 0.25 + 0.25 + 2) / 4,
    cluster_count: 3,
    cluster_weights: "mean_logprobs",
    run_ids: [0, 1, 2, 3],
    equivalence: "math",
    accuracy: 0.5,
    non_transitive_share: 0,
    clustering: "greedy",
    pair_rules: { math: 3 },
    order_sensitivity: null,
  });
  expect(second).toMatchObject({
    question_id: "q1",
    clusters: [{ cluster_id: 0, member_run_ids: [0, 1] }],
    semantic_entropy: 0,
    discrete_semantic_entropy: 0,
    accuracy: 1,
  });
});

test("the exact relation compares the extracted answers by their words", async () => {
  await writeJsonl(workspace.runs("math"), [
    answering("q1", 0, "The 1/2.", { answer_text: "The 1/2. Or so." }),
    answering("q1", 1, "0.5"),
    answering("q1", 2, "1/2"),
    answering("q1", 3, null, { answer_text: "" }),
  ]);
  await run({ equivalence: "exact" });
  const [record] = await readRecords();
  expect(record?.answers).toEqual(["The 1/2.", "0.5", "1/2", null]);
  expect(record?.clusters.map(({ member_run_ids }) => member_run_ids)).toEqual([[0, 2], [1], [3]]);
});

test("what is left out is counted and shown, and the rest is unchanged by it", async () => {
  await writeJsonl(workspace.runs("math"), RUNS);
  await run();
  const clean = await readFile(workspace.semanticEntropy("math"), "utf8");

  await writeJsonl(workspace.runs("math"), [...RUNS, answering("lonely", 0, "1"), answering("q1", 1, "7")]);
  await appendFile(workspace.runs("math"), '{"dataset":"ma');
  const { result, events } = await run();
  expect(await readFile(workspace.semanticEntropy("math"), "utf8")).toBe(clean);
  expect(result.counts).toEqual({
    questions: 2,
    runs: 6,
    no_answer: 1,
    pairs: 4,
    pairs_by_math: 4,
    order_sensitive_questions: 0,
    bad_lines: 1,
    duplicate_runs: 1,
    questions_with_too_few_samples: 1,
  });
  const codes = result.warnings.map(({ code }) => code);
  expect(codes).toEqual([
    "bad-lines",
    "duplicate-runs",
    "too-few-samples",
    "uneven-samples",
    "no-answer",
    "few-questions",
  ]);
  expect(result.warnings[0]?.message).toContain("line 9: partial last line");
  expect(result.warnings[1]?.message).toContain('line 8: question "q1" run 1 was already on line 6');
  const shown = events.flatMap((event) => (event.kind === "warning" ? [event.warning.code] : []));
  expect(shown).toEqual(codes);
});

test("it runs again when the runs or the relation change, and only then", async () => {
  await writeJsonl(workspace.runs("math"), RUNS);
  expect((await run()).result.status).toBe("ran");
  expect((await run()).result.status).toBe("up-to-date");
  expect((await run({ equivalence: "exact" })).result.status).toBe("ran");
  await writeJsonl(workspace.runs("math"), RUNS.slice(0, 5));
  const { result, events } = await run({ equivalence: "exact" });
  expect(result.status).toBe("ran");
  expect(JSON.stringify(events)).toContain("data/math_runs.jsonl has changed");
});

test("samples that all agree, and a relation that is not transitive, are pointed out", async () => {
  await writeJsonl(workspace.runs("math"), [answering("q1", 0, "1"), answering("q1", 1, "1.0")]);
  expect((await run()).result.warnings.map(({ code }) => code)).toEqual(["no-disagreement", "few-questions"]);
  // 50% is 0.5 and 50, which are not each other.
  const answers = ["50%", "0.5", "50"].map((answer, i) => answering("q1", i, answer));
  await writeJsonl(workspace.runs("math"), answers);
  const { result } = await run();
  expect(result.warnings.find(({ code }) => code === "non-transitive")?.message).toBe(
    "In 1 of 1 questions, some answers mean the same as a third but not as each other. In 1 of them, the number " +
      "of clusters depends on the order of the samples, and discrete semantic entropy changes by up to 0.637 nats.",
  );
  expect(result.counts.order_sensitive_questions).toBe(1);
  expect((await readRecords())[0]).toMatchObject({
    non_transitive_share: 1,
    discrete_semantic_entropy: 0,
    order_sensitivity: {
      orders: 6,
      exhaustive: true,
      min_discrete_semantic_entropy: 0,
      max_discrete_semantic_entropy: expect.closeTo(Math.log(3) - (2 / 3) * Math.LN2, 14),
      min_cluster_count: 1,
      max_cluster_count: 2,
    },
  });
});

test("no runs, and no question with two samples, are errors", async () => {
  await expect(run()).rejects.toMatchObject({ code: "missing-input" });
  await writeJsonl(workspace.runs("math"), [answering("q1", 0, "1"), answering("q2", 0, "1")]);
  await expect(run()).rejects.toMatchObject({
    code: "too-few-questions",
    message: /2 usable runs of 2 questions/,
  });
  await expect(run({ equivalence: "maths" as "math" })).rejects.toMatchObject({ code: "bad-option" });
});
