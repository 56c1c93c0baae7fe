import { expect, test } from "vitest";
import { createTableEntailer } from "../../test/fakes/table-entailer.ts";
import { clusterQuestions } from "./cluster-answers.ts";
import { createCosineEquivalence, type TextEmbedder } from "./cosine-equivalence.ts";
import type { Equivalence } from "./equivalence.ts";
import { createHybridEquivalence } from "./hybrid-equivalence.ts";
import { createNliEquivalence } from "./nli-equivalence.ts";
import { type ComparedQuestion, gatherPairEvidence } from "./pair-evidence.ts";

const QUESTIONS = [
  { question: "?", answers: ["cat", "dog", "cat", "1", "2"] },
  { question: "?", answers: ["cat"] },
  { question: "?", answers: ["dog", "cow"] },
];
const TABLE = { "cat > dog": [0.7, 0.2, 0.1], "dog > cat": [0.1, 0.2, 0.7], "1 > 2": [0, 0.1, 0.9] } as const;

async function judge(equivalence: Equivalence): Promise<ComparedQuestion[]> {
  const clusters = await clusterQuestions(QUESTIONS, equivalence);
  return clusters.map((each, q) => ({ ...each, question: QUESTIONS[q]!.question }));
}

const embedder: TextEmbedder = {
  name: "fake",
  provenance: "fake",
  embed: async (texts) =>
    texts.map((text) => ({
      vector: Float32Array.of(text === "dog" ? 0 : 1, text === "dog" ? 1 : 0),
      truncated: false,
    })),
  [Symbol.asyncDispose]: async () => undefined,
};

test("the verdicts of nli are the whole matrix, each direction in its place", async () => {
  const entailer = createTableEntailer(TABLE);
  const [first, single] = await gatherPairEvidence(await judge(createNliEquivalence(entailer)));
  expect(first?.texts).toEqual(["cat", "dog", "1", "2"]);
  expect(first?.similarity).toBeNull();
  const p = first?.entailment?.map((row) => row.map(({ entailment }) => entailment));
  expect(p).toEqual([
    [1, 0.7, 0.1, 0.1],
    [0.1, 1, 0.1, 0.1],
    [0.1, 0.1, 1, 0],
    [0.1, 0.1, 0.1, 1],
  ]);
  expect(single?.entailment).toEqual([[{ entailment: 1, neutral: 0, contradiction: 0 }]]);
});

test("what other rules decided is a hole: no matrix, or one that the model fills in one batch", async () => {
  const entailer = createTableEntailer(TABLE);
  const judged = await judge(createHybridEquivalence(createNliEquivalence(entailer)));
  const [holed, , complete] = await gatherPairEvidence(judged);
  expect(holed?.entailment).toBeNull();
  expect(complete?.entailment?.[0]?.[1]).toMatchObject({ entailment: 0.1 });

  const before = entailer.calls.length;
  const [filled] = await gatherPairEvidence(judged, { entailer });
  expect(entailer.calls.slice(before)).toEqual([
    [
      ["? 1", "? 2"],
      ["? 2", "? 1"],
    ],
  ]);
  expect(filled?.entailment?.[2]?.[3]).toMatchObject({ contradiction: 0.9 });
});

test("similarities come from verdicts of cosine, or from the embedder", async () => {
  const expected = [
    [1, 0, 1, 1],
    [0, 1, 0, 0],
    [1, 0, 1, 1],
    [1, 0, 1, 1],
  ];
  const cosine = await judge(createCosineEquivalence(embedder, { threshold: 0.5 }));
  expect((await gatherPairEvidence(cosine))[0]?.similarity).toEqual(expected);
  const nli = await judge(createNliEquivalence(createTableEntailer(TABLE)));
  const [first] = await gatherPairEvidence(nli, { embedder });
  expect(first?.similarity).toEqual(expected);
  expect(first?.entailment).not.toBeNull();
});
