import type { StoredSemanticEntropy } from "../entropy/read-semantic-entropy.ts";
import type { SplitScores } from "../evaluation/evaluate-split.ts";
import { mean } from "../math/vector.ts";
import { groupByQuestion } from "../samples/group-by-question.ts";
import type { Question } from "../samples/question.ts";
import type { RunRecord } from "../samples/run-record.ts";
import type { AnswerGroup, ReportQuestion } from "./report-content.ts";

const NO_ANSWER = "(no answer)";

/**
 * The questions of a split, those with the highest discrete semantic entropy first, with their answers grouped by
 * meaning; equals are ordered by the likelihood-weighted entropy, those without it last, then by id.
 * @param questions the question texts; those missing are shown by their prompt
 */
export function describeQuestions(
  split: SplitScores,
  entropies: readonly StoredSemanticEntropy[],
  runs: readonly RunRecord[],
  questions: readonly Question[],
): ReportQuestion[] {
  const rowsOf = new Map<string, number[]>();
  split.questionIds.forEach((id, row) => {
    const rows = rowsOf.get(id);
    if (rows === undefined) rowsOf.set(id, [row]);
    else rows.push(row);
  });
  const textOf = new Map(questions.map((question) => [question.id, question]));
  const runsOf = groupByQuestion(runs);
  return entropies
    .filter((record) => rowsOf.has(record.question_id))
    .toSorted(
      (a, b) =>
        b.discrete_semantic_entropy - a.discrete_semantic_entropy ||
        compareMissingLast(a.semantic_entropy, b.semantic_entropy) ||
        (a.question_id < b.question_id ? -1 : 1),
    )
    .map((record) => {
      const own = runsOf.get(record.question_id) ?? [];
      const rows = rowsOf.get(record.question_id)!;
      const source = textOf.get(record.question_id);
      return {
        id: record.question_id,
        question: source?.question ?? own[0]?.prompt ?? record.question_id,
        reference: source?.answer ?? null,
        semanticEntropy: record.discrete_semantic_entropy,
        accuracyProbe: meanOver(rows, split.accuracyProbe),
        seProbe: meanOver(rows, split.seProbe),
        groups: record.clusters
          .map((cluster) => describeGroup(own.filter((run) => cluster.member_run_ids.includes(run.run_id))))
          .filter((group) => group.sampleCount > 0)
          .toSorted((a, b) => b.sampleCount - a.sampleCount),
      };
    });
}

/** Higher first. */
function compareMissingLast(a: number | null, b: number | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return b - a;
}

function describeGroup(runs: readonly RunRecord[]): AnswerGroup {
  const first = runs[0];
  return {
    answer: first?.extracted_answer ?? (first?.answer_text.trim() || NO_ANSWER),
    sampleCount: runs.length,
    correctCount: runs.filter((run) => run.is_correct).length,
    example: first?.output_text ?? "",
  };
}

/** Mean of a score over a question's rows; null if none has it. */
function meanOver(rows: readonly number[], scores: Float64Array): number | null {
  const own = rows.map((row) => scores[row]!).filter((score) => !Number.isNaN(score));
  return own.length === 0 ? null : mean(own);
}
