import type { CorrectnessRule } from "../text/correctness-rule.ts";
import { extractAnswer } from "../text/extract-answer.ts";
import { extractOpenAnswer } from "../text/extract-open-answer.ts";
import { isMathematical } from "../text/is-mathematical.ts";
import { mathEquivalent } from "../text/math-equivalent.ts";
import { matchesOpenAnswer } from "../text/open-answer.ts";
import type { Question } from "./question.ts";
import type { RunRecord } from "./run-record.ts";

/** The part of a run record that the correctness rule decides. */
export type Judgement = Pick<RunRecord, "is_correct" | "correctness" | "extracted_answer">;

/**
 * Finds the answer in what the model said after its reasoning, and holds it against the question's.
 * @param text `answer_text` of the run record
 */
export function judgeAnswer(
  text: string,
  { question, answer, aliases = [] }: Question,
  correctness: CorrectnessRule,
): Judgement {
  const accepted = [answer, ...aliases];
  if (correctness === "math") {
    const extracted = extractAnswer(text)?.answer ?? null;
    const is_correct =
      extracted !== null && accepted.some((reference) => mathEquivalent(extracted, reference));
    return { is_correct, correctness, extracted_answer: extracted };
  }
  const extracted = extractOpenAnswer(text)?.answer ?? null;
  const is_correct = extracted !== null && matchesOpenAnswer(correctness, extracted, { accepted, question });
  return { is_correct, correctness, extracted_answer: extracted };
}

/**
 * The rule of a question set when the user gives none: `math` where most reference answers are numbers or
 * expressions, else `contains`. One rule serves the whole set, since clusters and labels of one study must mean the
 * same for every question.
 */
export function chooseCorrectness(questions: readonly Pick<Question, "answer">[]): CorrectnessRule {
  const mathematical = questions.filter(({ answer }) => isMathematical(answer)).length;
  return 2 * mathematical >= questions.length ? "math" : "contains";
}
