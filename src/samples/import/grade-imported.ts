import { SepError } from "../../errors.ts";
import { extractAnswer, extractOpenAnswer } from "../../text/extract-answer.ts";
import type { CorrectnessRule } from "../../text/open-answer.ts";
import { chooseCorrectness, gradeAnswer } from "../grade-answer.ts";
import type { Question } from "../question.ts";
import type { ImportedSamples } from "./imported-samples.ts";

/** Samples of another tool, each with an answer found in it and a grade. */
export interface GradedSamples extends ImportedSamples {
  readonly question: string;
  readonly isCorrect: readonly boolean[];
  readonly extracted: readonly (string | null)[];
}

interface GradedImport {
  readonly questions: readonly GradedSamples[];
  readonly correctness: CorrectnessRule;
  /** Ids of questions that were left out, since neither the file nor the references have their words. */
  readonly withoutQuestion: readonly string[];
  /** Ids of questions that were left out, since neither the file grades them nor is there a reference answer. */
  readonly withoutGrade: readonly string[];
}

/**
 * Gives imported samples the words of their question and a grade: the file's own where it has one, else by comparison with
 * the reference answer to the question of the same id or the same words.
 * @param source what messages call the file
 * @throws SepError `bad-artifact` if nothing is left
 */
export function gradeImported(
  imported: readonly ImportedSamples[],
  references: readonly Question[],
  asked: CorrectnessRule | "auto",
  source: string,
): GradedImport {
  const correctness = asked === "auto" ? chooseRule(imported, references) : asked;
  const byId = new Map(references.map((each) => [each.id, each]));
  const byWords = new Map(references.map((each) => [each.question.trim(), each]));
  const extract = (text: string): string | null =>
    (correctness === "math" ? extractAnswer(text) : extractOpenAnswer(text))?.answer ?? null;
  const questions: GradedSamples[] = [];
  const withoutQuestion: string[] = [];
  const withoutGrade: string[] = [];
  for (const each of imported) {
    const reference = byId.get(each.id) ?? byWords.get(each.question?.trim() ?? "");
    const question = each.question ?? reference?.question;
    if (question === undefined) {
      withoutQuestion.push(each.id);
      continue;
    }
    const extracted = each.extracted ?? each.texts.map(extract);
    if (each.isCorrect !== null) questions.push({ ...each, question, extracted, isCorrect: each.isCorrect });
    else if (reference === undefined) withoutGrade.push(each.id);
    else {
      const isCorrect = each.texts.map((text) => gradeAnswer(text, reference, correctness).is_correct);
      questions.push({ ...each, question, extracted, isCorrect });
    }
  }
  if (questions.length > 0) return { questions, correctness, withoutQuestion, withoutGrade };
  throw new SepError(
    "bad-artifact",
    `${source} has ${imported.length} questions, of which ${withoutQuestion.length} lack their words and ${withoutGrade.length} a grade. Give each "question" and "is_correct", or put the questions with their reference answers into the study first with \`sep prepare\`.`,
  );
}

/** As for a study's own answers, by the references; without any, by what the answers look like. */
function chooseRule(imported: readonly ImportedSamples[], references: readonly Question[]): CorrectnessRule {
  if (references.length > 0) return chooseCorrectness(references);
  const found = imported.flatMap(({ extracted, texts }) =>
    extracted === null ? texts.map((text) => extractOpenAnswer(text)?.answer ?? null) : extracted,
  );
  return chooseCorrectness(found.flatMap((answer) => (answer === null ? [] : [{ answer }])));
}
