import { extractAnswer, extractOpenAnswer } from "../../text/extract-answer.ts";
import type { CorrectnessRule } from "../../text/open-answer.ts";
import { chooseCorrectness } from "../judge-answer.ts";
import type { SampledQuestion } from "../sampled-question.ts";

/** Samples whose answers are known, and what kind of answers they are. */
export interface ExtractedAnswers {
  readonly questions: readonly (SampledQuestion & { readonly extracted: readonly (string | null)[] })[];
  /** "math" where most answers are numbers or expressions, else "contains". */
  readonly kind: CorrectnessRule;
}

/** Finds the answers in texts in which the tool that drew them looked for none. */
export function extractAnswers(questions: readonly SampledQuestion[]): ExtractedAnswers {
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
