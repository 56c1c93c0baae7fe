import type { RowLabel } from "../probes/unit-labels.ts";

/** What the rows of an evaluation are called in a sentence: answers, or parts of answers with their kind of label. */
export interface RowWords {
  /** "answers", "steps" */
  readonly rows: string;
  /** Rows of label 1: "wrong answers", "steps in wrong answers" */
  readonly wrong: string;
  /** Rows of label 0. */
  readonly right: string;
  /** One of each, the wrong one first: "a wrong and a right answer" */
  readonly pair: string;
  /** After a share of the rows: "wrong", "in wrong answers" */
  readonly wrongly: string;
  /** Between the number of rows and that of questions: "to", "in answers to" */
  readonly to: string;
}

const nameRows = (row: string, [wrong, right]: readonly [string, string], to: string): RowWords => ({
  rows: `${row}s`,
  wrong: `${wrong} ${row}s`,
  right: `${right} ${row}s`,
  pair: `${withArticle(wrong)} and ${withArticle(right)} ${row}`,
  wrongly: wrong,
  to,
});

const withArticle = (word: string): string => `${/^[aeiou]/.test(word) ? "an" : "a"} ${word}`;

const PARTS: Readonly<Record<string, string>> = {
  "step-end": "step",
  "sentence-end": "sentence",
  "every-token": "token",
  spans: "span",
};

/** "step" of `step-end`; "part" of a position that is none of parts. */
export const nameOfPart = (position: string | undefined): string => PARTS[position ?? ""] ?? "part";

const LABELS: Readonly<Record<Exclude<RowLabel, "final-incorrect">, readonly [string, string]>> = {
  "step-incorrect": ["wrong", "right"],
  spans: ["wrong", "right"],
  inconsistent: ["inconsistent", "consistent"],
  clusters: ["uncertain", "certain"],
};

/** @param parts the position and label of rows that are parts of answers; undefined where each row is an answer */
export function wordsOfRows(
  parts: { readonly label: RowLabel; readonly position: string } | undefined,
): RowWords {
  if (parts === undefined) return nameRows("answer", ["wrong", "right"], "to");
  const row = nameOfPart(parts.position);
  if (parts.label !== "final-incorrect") return nameRows(row, LABELS[parts.label], "in answers to");
  return {
    rows: `${row}s`,
    wrong: `${row}s in wrong answers`,
    right: `${row}s in right answers`,
    pair: `a ${row} in a wrong answer and one in a right answer`,
    wrongly: "in wrong answers",
    to: "in answers to",
  };
}
