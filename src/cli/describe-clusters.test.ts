import { expect, test } from "vitest";
import type { ClusterView } from "../study/entropy/inspect-clusters.ts";
import { describeClusters } from "./describe-clusters.ts";
import type { Paint } from "./terminal.ts";

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

test("groups as blocks of the matrices, the samples without answer at the end", () => {
  const question = "What is the capital of France, and if there should be more than one, which one?";
  const text = describeClusters({ set: "math", questionId: "q1", question, views: [VIEW] }, plain, 80);
  expect(text.split("\n")).toEqual([
    "math q1: What is the capital of France, and if there should be more than one,",
    "which one?",
    "",
    "stored: hybrid, greedy: 3 groups of 6 samples, discrete semantic entropy 0.868",
    "group  no  answer",
    "    0   1  Paris  (2 runs: 0 3)",
    "        2  It is Paris  (run 2)",
    "        3  paris  (run 7)",
    "    1   4  Lyon  (run 1)",
    "    2      (no answer)  (run 4)",
    "",
    "same meaning, by e exact, n nli; . not the same",
    "       1   2   3   4",
    "   1   =   n   e   .",
    "   2   n   =   .   .",
    "   3   e   .   =   .",
    "   4   .   .   .   =",
    "",
    "P(row entails column), percent",
    "       1   2   3   4",
    "   1      97       2",
    "   2  88      40  10",
    "   3      90       1",
    "   4   1   3   2",
    "",
    "25% of the triples contradict themselves: a = b, b = c, a != c",
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
  expect(text).toContain("cosine, percent");
});
