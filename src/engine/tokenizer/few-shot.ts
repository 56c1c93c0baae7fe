import type { Question } from "../../samples/question.ts";
import { normalizeAnswer } from "../../text/open-answer.ts";

/** A question with its answer, to show a model how to answer. */
export interface Shot {
  readonly question: string;
  /** A short answer, or a worked solution of several lines. */
  readonly answer: string;
}

/** Kuhn et al. 2023 and Farquhar et al. 2024 show five. */
export const SHOT_COUNT = 5;

/** The first five questions as shots, each with its solution where it has one. */
export const takeShots = (questions: readonly Question[]): Shot[] =>
  questions.slice(0, SHOT_COUNT).map(({ question, answer, solution }) => ({
    question,
    answer: (solution ?? answer).trim(),
  }));

/** The questions that no shot gives away: a shot's own question is never asked. */
export function leaveOutShots(questions: readonly Question[], shots: readonly Shot[]): Question[] {
  const shown = new Set(shots.map(({ question }) => normalizeAnswer(question)));
  return questions.filter(({ question }) => !shown.has(normalizeAnswer(question)));
}

/**
 * Shots and a question as one text, in the layout of the papers' code.
 * @param head stands in front; the papers' sentence by default, and nothing in front of worked solutions
 */
export function renderFewShot(shots: readonly Shot[], question: string, head?: string): string {
  const first = head ?? (areWorked(shots) ? null : SHORT_ANSWERS);
  const examples = shots.map((shot) => `Question: ${shot.question.trim()}\nAnswer: ${shot.answer}\n\n`);
  return `${first === null ? "" : `${first}\n`}${examples.join("")}Question: ${question}\nAnswer:`;
}

/** A short answer ends with its line, a worked one where the model goes on to a question of its own. */
export const stopStringsOfShots = (shots: readonly Shot[]): readonly string[] =>
  areWorked(shots) ? ["\nQuestion:"] : ["\n"];

const SHORT_ANSWERS = "Answer the following question as briefly as possible.";

const areWorked = (shots: readonly Shot[]): boolean => shots.some(({ answer }) => answer.includes("\n"));
