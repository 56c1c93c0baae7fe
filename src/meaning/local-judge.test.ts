import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadModel } from "../checkpoint/load-model.ts";
import { scoreContinuations } from "../engine/generate/score-continuations.ts";
import type { LanguageModel } from "../engine/language-model.ts";
import { createJudgeEquivalence } from "./judge-equivalence.ts";
import { JUDGE_LABELS, type JudgeLabel } from "./judge-model.ts";
import { createLocalJudge } from "./local-judge.ts";

const CHECKPOINT = fileURLToPath(new URL("../../test/golden/checkpoints/qwen3-tied", import.meta.url));

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(CHECKPOINT, { threads: 1 });
});
afterAll(() => model[Symbol.asyncDispose]());

/** What the plain model gives to the spellings of a word right after the prompt. */
async function probability(prompt: string, label: JudgeLabel): Promise<number> {
  const encode = (text: string): number[] => model.tokenizer.encode(text, { specialTokens: false });
  const capital = label.replace(/^./, (letter) => letter.toUpperCase());
  const texts = [label, capital, ` ${label}`, ` ${capital}`];
  const spellings = new Map(texts.map((text) => [encode(text).join(), encode(text)]));
  const scores = await scoreContinuations(model, { tokenIds: encode(prompt) }, [...spellings.values()]);
  return scores.reduce((sum, score) => sum + Math.exp(score), 0);
}

test("it replies with the likeliest of the words that are asked for", async () => {
  const judge = createLocalJudge(model);
  for (const prompt of ["Same?", "Is it so?", "One and two", "Yes or no"]) {
    const reply = await judge.complete(prompt, { labels: JUDGE_LABELS });
    const bare = model.tokenizer.renderChat === null ? `${prompt}\nResponse:` : null;
    expect(bare, "this checkpoint has no chat template").not.toBeNull();
    const probabilities = await Promise.all(JUDGE_LABELS.map((label) => probability(bare!, label)));
    expect(reply).toBe(JUDGE_LABELS[probabilities.indexOf(Math.max(...probabilities))]);
  }
  expect(await judge.complete("Same?", { labels: ["no"] })).toBe("no");
});

test("it says nothing if it would rather say something else than the words", async () => {
  const judge = createLocalJudge(model);
  const labels = ["yes", "no"] as const;
  const total = (await Promise.all(labels.map((label) => probability("Same?\nResponse:", label)))).reduce(
    (sum, each) => sum + each,
  );
  expect(await judge.complete("Same?", { labels, leastProbability: total * 1.01 })).toBe("");
  expect(labels).toContain(await judge.complete("Same?", { labels, leastProbability: total * 0.99 }));
});

test("as a relation it always gives a verdict, and its provenance names the weights", async () => {
  const relation = createJudgeEquivalence(createLocalJudge(model));
  const [verdict] = await relation.compare([{ question: "Q", first: "a", second: "b" }]);
  expect(verdict).toMatchObject({ rule: "judge", labels: [expect.any(String), expect.any(String)] });
  expect(relation.provenance).toMatchObject({
    model: { engine: "local", scoring: "labels", model: { weights_sha256: expect.any(String) } },
  });
});

test("a model that reasons is asked through its template, with its reasoning closed", async () => {
  let asked = "";
  const reasoning: LanguageModel = {
    ...model,
    tokenizer: {
      ...model.tokenizer,
      renderChat: (messages, { addGenerationPrompt }) =>
        `User: ${messages.map(({ content }) => content).join()}\n${addGenerationPrompt ? "Bot: <think>" : ""}`,
    },
    prefill: (prompt, options) => {
      asked = model.tokenizer.decode(prompt.tokenIds);
      return model.prefill(prompt, options);
    },
  };
  await createLocalJudge(reasoning).complete("Same?", { labels: ["yes", "no"] });
  expect(asked).toBe("User: Same?\nBot: <think>\n</think>\n\n");
});

test("what prompts about a question begin with is run once, and the replies are the same", async () => {
  const question = "How many ducks swim in a pond of twelve ducks and two geese, if one goose leaves it?";
  const pairs = ["12", "a dozen", "none", "13 birds"].map((second) => ({ question, first: "12", second }));
  const judge = createLocalJudge(model);
  const openings: (string | undefined)[] = [];
  const recording = {
    ...judge,
    complete: (prompt: string, options: Parameters<typeof judge.complete>[1]) => {
      expect(prompt.startsWith(options.opening ?? "?")).toBe(true);
      openings.push(options.opening);
      return judge.complete(prompt, options);
    },
  };
  const unaware = {
    ...judge,
    complete: (prompt: string, options: Parameters<typeof judge.complete>[1]) =>
      judge.complete(prompt, { ...options, opening: undefined }),
  };
  for (const prompt of ["entailment", "yes-no"] as const) {
    const verdicts = await createJudgeEquivalence(recording, { prompt }).compare(pairs);
    expect(verdicts).toEqual(await createJudgeEquivalence(unaware, { prompt }).compare(pairs));
  }
  expect(new Set(openings).size).toBe(1);
  expect(openings[0]).toContain(question);
});

test("a prompt that does not fit is refused", async () => {
  const long = "word ".repeat(model.config.maxPositions + 1);
  await expect(createLocalJudge(model).complete(long, { labels: ["no"] })).rejects.toMatchObject({
    code: "prompt-too-long",
  });
});
