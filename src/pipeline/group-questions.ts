import { clusterAnswers } from "../meaning/cluster-answers.ts";
import type { Equivalence } from "../meaning/equivalence.ts";
import type { SampledQuestion } from "../sampling/sampled-question.ts";
import { normalizeAnswer } from "../text/normalize-answer.ts";
import type { GroupedQuestion } from "./estimate-questions.ts";

/** A question whose samples' answers were looked for. */
export type AnsweredQuestion = SampledQuestion & { readonly extracted: readonly (string | null)[] };

/** Groups each question's samples by meaning. */
export async function* groupQuestions(
  questions: readonly AnsweredQuestion[],
  equivalence: Equivalence,
): AsyncGenerator<GroupedQuestion, void> {
  for (const samples of questions) {
    const answers = samples.extracted.map((answer) => comparedText(answer, equivalence));
    const { clusterIds, nonTransitiveShare } = await clusterAnswers(answers, equivalence, {
      question: samples.question ?? "",
    });
    yield { samples, answers, clusterIds, nonTransitiveShare, evidence: null };
  }
}

/** The answer that was judged, so that a sample's correctness and its cluster are about the same text. */
function comparedText(answer: string | null, { name }: Equivalence): string | null {
  return answer === null || name === "math" ? answer : normalizeAnswer(answer) || null;
}
