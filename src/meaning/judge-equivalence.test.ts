import { expect, test } from "vitest";
import { createJudgeEquivalence } from "./judge-equivalence.ts";
import type { JudgeModel } from "./judge-model.ts";

const PAIR = { question: "Capital of France?", first: "Paris", second: "Lyon" };

/** A judge that replies from a list, in the order in which it is asked. */
function replying(...replies: string[]): JudgeModel & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    name: "fake",
    provenance: "fake",
    concurrency: 1,
    asked,
    complete: async (prompt) => replies[asked.push(prompt) - 1] ?? "",
  };
}

test("entailment is asked both ways, in the papers' words", async () => {
  const judge = replying("Entailment", "entailment.");
  expect(await createJudgeEquivalence(judge).compare([PAIR])).toEqual([
    { same: true, rule: "judge", labels: ["entailment", "entailment"] },
  ]);
  expect(judge.asked).toEqual([
    'We are evaluating answers to the question "Capital of France?"\nHere are two possible answers:\n' +
      "Possible Answer 1: Paris\nPossible Answer 2: Lyon\n" +
      "Does Possible Answer 1 semantically entail Possible Answer 2? " +
      "Respond with entailment, contradiction, or neutral.",
    expect.stringContaining("Possible Answer 1: Lyon\nPossible Answer 2: Paris\n"),
  ]);
});

test.each([
  ["strict", "entailment", "neutral", false],
  ["lenient", "entailment", "neutral", true],
  ["lenient", "neutral", "neutral", false],
  ["lenient", "entailment", "contradiction", false],
  ["lenient", "entailment", "who knows", false],
  ["strict", "entailment", "", false],
] as const)("%s: %s and %s are the same: %s", async (rule, forward, backward, same) => {
  const [verdict] = await createJudgeEquivalence(replying(forward, backward), { rule }).compare([PAIR]);
  expect(verdict?.same).toBe(same);
});

test("a reply that is none of the words is no verdict, and stands as null", async () => {
  const [verdict] = await createJudgeEquivalence(replying("Hm", "entailment")).compare([PAIR]);
  expect(verdict).toEqual({ same: false, rule: "judge", labels: [null, "entailment"] });
});

test("yes-no is asked once", async () => {
  const judge = replying("Yes", "no", "maybe");
  const relation = createJudgeEquivalence(judge, { prompt: "yes-no" });
  expect(await relation.compare([PAIR, PAIR, PAIR])).toEqual([
    { same: true, rule: "judge", labels: ["yes"] },
    { same: false, rule: "judge", labels: ["no"] },
    { same: false, rule: "judge", labels: [null] },
  ]);
  expect(judge.asked.length).toBe(3);
  expect(relation.provenance).toMatchObject({ prompt: { name: "yes-no", version: 1 }, rule: null });
});

test("as many prompts as the judge takes are under way, and a failure ends them all", async () => {
  let running = 0;
  let most = 0;
  let asked = 0;
  let aborted = 0;
  const judge: JudgeModel = {
    name: "slow",
    provenance: null,
    concurrency: 3,
    async complete(_prompt, { signal }) {
      asked += 1;
      most = Math.max(most, ++running);
      if (asked === 7) throw new Error("the server is gone");
      await new Promise((settle) => setImmediate(settle));
      running -= 1;
      if (signal?.aborted) aborted += 1;
      return "yes";
    },
  };
  const relation = createJudgeEquivalence(judge, { prompt: "yes-no" });
  await expect(relation.compare(Array.from({ length: 50 }, () => PAIR))).rejects.toThrow(
    "the server is gone",
  );
  expect(most).toBe(3);
  expect(asked).toBeLessThan(11);
  expect(aborted).toBeGreaterThan(0);
});
