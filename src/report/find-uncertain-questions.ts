import type { StoredSemanticEntropy } from "../entropy/read-semantic-entropy.ts";
import type { SplitScores } from "../evaluation/evaluate-split.ts";
import { mean } from "../math/vector.ts";
import type { Question } from "../questions/question.ts";
import type { RunRecord } from "../sampling/run-record.ts";
import type { AnswerGroup, UncertainQuestion } from "./report-content.ts";

const DEFAULT_COUNT = 10;
const NO_ANSWER = "(no answer)";

/**
 * The questions of a split with the highest discrete semantic entropy, with their answers grouped by meaning; equals
 * are ordered by the likelihood-weighted entropy, then by id.
 * @param questions the question texts; those missing are shown by their prompt
 */
export function findUncertainQuestions(
  split: SplitScores,
  entropies: readonly StoredSemanticEntropy[],
  runs: readonly RunRecord[],
  questions: readonly Question[],
  { count = DEFAULT_COUNT }: { readonly count?: number } = {},
): UncertainQuestion[] {
  const wanted = new Set(split.questionIds);
  const textOf = new Map(questions.map((question) => [question.id, question]));
  return entropies
    .filter((record) => wanted.has(record.question_id))
    .toSorted(
      (a, b) =>
        b.discrete_semantic_entropy - a.discrete_semantic_entropy ||
        b.semantic_entropy - a.semantic_entropy ||
        (a.question_id < b.question_id ? -1 : 1),
    )
    .slice(0, count)
    .map((record) => {
      const own = runs.filter((run) => run.question_id === record.question_id);
      const source = textOf.get(record.question_id);
      return {
        id: record.question_id,
        question: source?.question ?? own[0]?.prompt ?? record.question_id,
        reference: source?.answer ?? null,
        semanticEntropy: record.discrete_semantic_entropy,
        accuracyProbe: meanOver(split, split.accuracyProbe, record.question_id),
        seProbe: meanOver(split, split.seProbe, record.question_id),
        groups: record.clusters
          .map((cluster) => describeGroup(own.filter((run) => cluster.member_run_ids.includes(run.run_id))))
          .filter((group) => group.sampleCount > 0)
          .toSorted((a, b) => b.sampleCount - a.sampleCount),
      };
    });
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
function meanOver({ questionIds }: SplitScores, scores: Float64Array, question: string): number | null {
  const own = Array.from(scores).filter(
    (score, row) => questionIds[row] === question && !Number.isNaN(score),
  );
  return own.length === 0 ? null : mean(own);
}
