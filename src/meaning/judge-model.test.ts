import { expect, test } from "vitest";
import { JUDGE_LABELS, parseJudgeReply } from "./judge-model.ts";

const ENTAILMENT = ["entailment", "neutral", "contradiction"] as const;
const YES_NO = ["yes", "no"] as const;

test.each([
  ["entailment", "entailment"],
  ["Entailment.", "entailment"],
  ["**Neutral**", "neutral"],
  ['"contradiction"\n\nThe first says Paris, so there is no entailment.', "contradiction"],
  ["The answer is contradiction.", "contradiction"],
  ["Response: neutral", "neutral"],
  ["<think>Is it entailment? No, neutral.</think>\n\nContradiction", "contradiction"],
  ["It is not entailment.", null],
  ["This is neither entailment nor neutral.", null],
  ["entailed", null],
  ["Paris entails France.", null],
  ["", null],
  ["<think>entailment</think>", null],
])("%j is %s", (reply, expected) => {
  expect(parseJudgeReply(reply, ENTAILMENT)).toBe(expected);
});

test.each([
  ["Yes.", "yes"],
  ["No, they do not mean the same.", "no"],
  ["I think yes", "yes"],
  ["Yes and no", "yes"],
  ["There are yes and no.", null],
  ["yesterday", null],
])("%j is %s", (reply, expected) => {
  expect(parseJudgeReply(reply, YES_NO)).toBe(expected);
});

test("every word parses as itself", () => {
  for (const label of JUDGE_LABELS) expect(parseJudgeReply(label, JUDGE_LABELS)).toBe(label);
});
