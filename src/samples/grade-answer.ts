import { extractAnswer, extractOpenAnswer } from "../text/extract-answer.ts";
import { isMathematical, mathEquivalent } from "../text/math-equivalent.ts";
import { type CorrectnessRule, type Grader, matchesOpenAnswer } from "../text/open-answer.ts";
import type { Question } from "./question.ts";
import type { RunRecord } from "./run-record.ts";
import type { ExtractedSamples, Samples } from "./samples.ts";

/** The part of a run record that the correctness rule decides. */
export type Grade = Pick<RunRecord, "is_correct" | "correctness" | "extracted_answer">;

/**
 * Extracts the answer from what the model said after its reasoning and compares it with the reference.
 * @param text `answer_text` of the run record
 */
export function gradeAnswer(
  text: string,
  { question, answer, aliases = [], rejected }: Question,
  correctness: CorrectnessRule,
): Grade & { readonly is_correct: boolean } {
  const accepted = [answer, ...aliases];
  if (correctness === "math") {
    const extracted = extractAnswer(text)?.answer ?? null;
    const is_correct =
      extracted !== null && accepted.some((reference) => mathEquivalent(extracted, reference));
    return { is_correct, correctness, extracted_answer: extracted };
  }
  const extracted = extractOpenAnswer(text)?.answer ?? null;
  const is_correct =
    extracted !== null && matchesOpenAnswer(correctness, extracted, { accepted, rejected, question });
  return { is_correct, correctness, extracted_answer: extracted };
}

/** The answer in a text that someone else grades: found as mathematics if the reference answer is, else as an open one. */
export function leaveUngraded(
  text: string,
  { answer }: Pick<Question, "answer">,
  correctness: Exclude<Grader, CorrectnessRule>,
): Grade {
  const extract = isMathematical(answer) ? extractAnswer : extractOpenAnswer;
  return { is_correct: null, correctness, extracted_answer: extract(text)?.answer ?? null };
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

/** Extracts the answers of samples whose tool extracted none. */
export function extractAnswers<S extends Pick<Samples, "texts" | "extracted">>(
  questions: readonly S[],
): {
  readonly questions: readonly (S & Pick<ExtractedSamples, "extracted">)[];
  /** "math" where most answers are numbers or expressions, else "contains". */
  readonly kind: CorrectnessRule;
} {
  const found = questions.flatMap(
    ({ extracted, texts }) => extracted ?? texts.map((text) => extractOpenAnswer(text)?.answer ?? null),
  );
  const kind = chooseCorrectness(found.filter((answer) => answer !== null).map((answer) => ({ answer })));
  const extract = kind === "math" ? extractAnswer : extractOpenAnswer;
  return {
    kind,
    questions: questions.map((question) => ({
      ...question,
      extracted: question.extracted ?? question.texts.map((text) => extract(text)?.answer ?? null),
    })),
  };
}
