import { type Rng, shuffle } from "../math/rng.ts";

/** Draws label vectors that are as likely as the given one if labels say nothing about scores. */
export interface LabelPermuter {
  /**
   * - `question-labels`: every question has one label; labels are exchanged between any two questions, each row
   *   taking its question's.
   * - `equal-blocks`: labels vary within a question; its rows' labels move as one block, in order, and only to a
   *   question with as many rows, since blocks of other sizes would not fit.
   */
  readonly scheme: "question-labels" | "equal-blocks";
  /** Questions that can change places with another; below 2 nothing can be permuted. */
  readonly exchangeableQuestions: number;
  /** Questions that always keep their labels, being alone with their number of rows. */
  readonly fixedQuestions: number;
  /** @returns [n] permuted labels */
  draw(rng: Rng): Uint8Array;
}

/**
 * What is exchangeable when several rows belong to one question: the questions, not the rows. Rows of a question
 * share its difficulty, so permuting single rows would pretend to far more independent evidence than there is.
 * Scores stay where they are; labels move by question. Under the null hypothesis that a question's labels are
 * independent of its scores, questions are exchangeable given their number of rows. Questions of a unique size keep
 * their labels, which can only make the test more careful. Where each question has a single label, the
 * label does not depend on the number of rows, and all questions are exchanged.
 * @param labels      [n]
 * @param questionIds [n]
 */
export function createLabelPermuter(
  labels: ArrayLike<number>,
  questionIds: readonly string[],
): LabelPermuter {
  const blocks = new Map<string, number[]>();
  questionIds.forEach((question, row) => {
    const rows = blocks.get(question);
    if (rows === undefined) blocks.set(question, [row]);
    else rows.push(row);
  });
  const questions = [...blocks.values()];
  const constant = questions.every((rows) => rows.every((row) => labels[row] === labels[rows[0]!]));
  const strata = constant ? [questions] : groupBySize(questions);
  const exchangeable = strata.filter((stratum) => stratum.length > 1);
  const count = exchangeable.reduce((sum, stratum) => sum + stratum.length, 0);
  return {
    scheme: constant ? "question-labels" : "equal-blocks",
    exchangeableQuestions: count,
    fixedQuestions: questions.length - count,
    draw(rng) {
      const drawn = Uint8Array.from(labels);
      for (const stratum of exchangeable) {
        const donors = shuffle(stratum, rng);
        stratum.forEach((rows, place) => {
          const donor = donors[place]!;
          rows.forEach((row, i) => {
            drawn[row] = labels[donor[constant ? 0 : i]!]!;
          });
        });
      }
      return drawn;
    },
  };
}

function groupBySize(questions: readonly number[][]): number[][][] {
  const strata = new Map<number, number[][]>();
  for (const rows of questions) strata.set(rows.length, [...(strata.get(rows.length) ?? []), rows]);
  return [...strata.values()];
}
