import { describe, expect, it } from "vitest";
import { makeRun } from "../../test/fakes/make-run.ts";
import { findShared, groupDuplicates, nameSome, questionTexts } from "./question-overlap.ts";

describe("questionTexts", () => {
  it("are what was asked, where the runs say it", () => {
    const runs = [0, 1].map((run_id) => makeRun({ question_id: "a", run_id, question: "Why?", prompt: "p" }));
    expect(questionTexts(runs, [])).toEqual([new Map([["a", "Why?"]]), new Map()]);
  });

  it("are prompts without what all of them begin and end with", () => {
    const prompted = (template: (question: string) => string): string[] =>
      ["two and two", "the capital of Peru", "two and two"].map(template);
    const textsOf = (prompts: readonly string[]): string[] => [
      ...questionTexts(prompts.map((prompt, i) => withoutQuestion(`q${i}`, prompt)))[0]!.values(),
    ];
    const shots =
      "Answer the following question as briefly as possible.\nQuestion: Who wrote Emma?\nAnswer: Austen\n";
    expect(textsOf(prompted((question) => `${shots}Question: ${question}\nAnswer:`))).toEqual([
      "two and two",
      "the capital of Peru",
      "two and two",
    ]);
    const [one, other] = ["7 and 8", "9 and 8"].map((question, i) => [
      withoutQuestion(`a${i}`, `${shots}What is ${question}?`),
    ]);
    expect(questionTexts(one!, other!).map((texts) => [...texts.values()])).toEqual([["7"], ["9"]]);
    expect(textsOf(["same words in all of them", "same words in all of them"])).toEqual(
      Array(2).fill("same words in all of them"),
    );
  });
});

it("groups go by the least id, and name those that have duplicates only", () => {
  const texts = new Map([
    ["c", "Why?"],
    ["b", "why"],
    ["a", "How?"],
  ]);
  expect(groupDuplicates(texts)).toEqual({
    groupOf: new Map([
      ["b", "b"],
      ["c", "b"],
    ]),
    sameCount: 1,
    nearCount: 0,
  });
  expect(findShared(texts, ["WHY", "how many"])).toEqual(["c", "b"]);
  expect(nameSome(["a", "b", "c", "d", "e", "f", "g"])).toBe('"a", "b", "c", "d", "e" and 2 more');
});

function withoutQuestion(question_id: string, prompt: string): ReturnType<typeof makeRun> {
  const { question: _asked, ...run } = makeRun({ question_id, prompt });
  return run;
}
