import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createFakeCli, type FakeCli } from "../../../test/fakes/cli-context.ts";
import { makeRun } from "../../../test/fakes/make-run.ts";
import { writeJsonl } from "../../store/jsonl.ts";
import { computeEntropy } from "../../study/entropy/compute-entropy.ts";
import type { ClusterView } from "../../study/entropy/read-semantic-entropy.ts";
import { openWorkspace } from "../../study/workspace.ts";
import { runCli } from "../run-cli.ts";
import type { Paint } from "../terminal.ts";
import { describeClusters } from "./clusters.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sep-clusters-"));
  const workspace = openWorkspace(root);
  const answers = ["4", "4.0", "cannot say", null];
  await writeJsonl(
    workspace.runs("math"),
    answers.map((answer, run_id) => makeRun({ question_id: "q1", run_id, extracted_answer: answer })),
  );
  await writeJsonl(workspace.raw("math"), [{ id: "q1", question: "What is 2 + 2?", answer: "4" }]);
});
afterAll(() => rm(root, { recursive: true }));

async function clusters(...args: string[]): Promise<FakeCli & { readonly code: number }> {
  const cli = createFakeCli();
  return { ...cli, code: await runCli(["clusters", ...args, "--out", root], cli.context) };
}

test("without stored clusters it says what to do, unless it can cluster by itself", async () => {
  const { code, stderr } = await clusters("q1");
  expect(code).toBe(1);
  expect(stderr()).toContain("Run `sep entropy`");
  const { stdout } = await clusters("q1", "--equivalence", "exact");
  expect(stdout()).toContain("computed: exact, greedy: 4 clusters of 4 samples");
});

test("the stored clusters, alone and beside others, for people and for scripts", async () => {
  for await (const _event of computeEntropy(openWorkspace(root), "math"));
  const { code, stdout } = await clusters("q1");
  expect(code).toBe(0);
  expect(stdout()).toContain("math q1: What is 2 + 2?");
  expect(stdout()).toContain("stored: math, greedy: 3 clusters of 4 samples");
  expect(stdout()).not.toContain("computed");

  const both = await clusters("q1", "--equivalence", "exact", "--clustering", "components", "--json");
  const { questions } = JSON.parse(both.stdout());
  expect(questions).toMatchObject([
    {
      set: "math",
      questionId: "q1",
      views: [
        {
          source: "stored",
          equivalence: "math",
          clusterIds: [0, 0, 1, 2],
          pairs: [
            { pair: [0, 1], same: true, rule: "math" },
            { pair: [0, 2], rule: "exact" },
            { pair: [1, 2] },
          ],
        },
        { source: "computed", equivalence: "exact", clustering: "components", clusterIds: [0, 1, 2, 3] },
      ],
    },
  ]);
});

test("a question that is not there is named, with the one that was meant", async () => {
  const { code, stderr } = await clusters("q11");
  expect(code).toBe(2);
  expect(stderr()).toContain('Got the question "q11"');
  expect(stderr()).toContain("Did you mean q1?");
});

const plain: Paint = (_style, text) => text;
const probs = (entailment: number) => ({
  entailment,
  neutral: 1 - entailment,
  contradiction: 0,
  truncated: false,
});

const VIEW: ClusterView = {
  source: "stored",
  equivalence: "hybrid",
  clustering: "greedy",
  runIds: [0, 1, 2, 3, 4, 7],
  answers: ["Paris", "Lyon", "It is Paris", "Paris", null, "paris"],
  clusterIds: [0, 1, 0, 0, 2, 0],
  texts: ["Paris", "Lyon", "It is Paris", "paris"],
  pairs: [
    { pair: [0, 1], same: false, rule: "nli", forward: probs(0.02), backward: probs(0.01) },
    { pair: [0, 2], same: true, rule: "nli", forward: probs(0.97), backward: probs(0.88) },
    { pair: [0, 3], same: true, rule: "exact" },
    { pair: [1, 2], same: false, rule: "nli", forward: probs(0.03), backward: probs(0.1) },
    { pair: [1, 3], same: false, rule: "nli", forward: probs(0.02), backward: probs(0.01) },
    { pair: [2, 3], same: false, rule: "nli", forward: probs(0.4), backward: probs(0.9) },
  ],
  nonTransitiveShare: 0.25,
  discreteSemanticEntropy: 0.8676,
};

test("clusters as blocks of the matrices, the samples without answer at the end", () => {
  const question = "What is the capital of France, and if there should be more than one, which one?";
  const text = describeClusters({ set: "math", questionId: "q1", question, views: [VIEW] }, plain, 80);
  expect(text.split("\n")).toEqual([
    "math q1: What is the capital of France, and if there should be more than one,",
    "which one?",
    "",
    "stored: hybrid, greedy: 3 clusters of 6 samples, discrete semantic entropy 0.868",
    "cluster  no  answer",
    "      0   1  Paris  (2 runs: 0 3)",
    "          2  It is Paris  (run 2)",
    "          3  paris  (run 7)",
    "      1   4  Lyon  (run 1)",
    "      2      (no answer)  (run 4)",
    "",
    "Same meaning, by e exact, n nli; . not the same",
    "       1   2   3   4",
    "   1   =   n   e   .",
    "   2   n   =   .   .",
    "   3   e   .   =   .",
    "   4   .   .   .   =",
    "",
    "P(row entails column) in %",
    "       1   2   3   4",
    "   1      97       2",
    "   2  88      40  10",
    "   3      90       1",
    "   4   1   3   2",
    "",
    "25% of the triples of answers contradict themselves: a = b, b = c, a ≠ c",
  ]);
});

test("nothing is wider than the terminal, and nothing in an answer moves the cursor", () => {
  const texts = Array.from({ length: 30 }, (_, i) => `\u001b[2J answer ${i} ${"long ".repeat(30)}`);
  const view: ClusterView = {
    ...VIEW,
    equivalence: "cosine",
    clustering: "spectral",
    runIds: [...texts.keys()],
    answers: texts,
    clusterIds: [...texts.keys()],
    texts,
    pairs: texts.flatMap((_, i) =>
      [...Array(i).keys()].map((j) => ({
        pair: [j, i] as const,
        same: false,
        rule: "cosine" as const,
        similarity: 0.123,
        truncated: false,
      })),
    ),
  };
  const text = describeClusters(
    { set: "ood", questionId: "\u0007q", question: null, views: [view] },
    plain,
    80,
  );
  for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it looks for
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  expect(text.match(/\b12\b/g)?.length).toBeGreaterThan(30 * 29);
  expect(text).toContain("Cosine similarity in %");
});
