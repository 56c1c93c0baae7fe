import type { RunRecord } from "./run-record.ts";
import type { SampledQuestion } from "./sampled-question.ts";

/**
 * The runs of one question as one record.
 * @param runs     [K] K >= 1, of one question
 * @param question its text, for runs that do not have it
 * @param best     the answer that counts as the model's own, where there is one
 */
export function gatherQuestion(
  runs: readonly RunRecord[],
  question: string | null = null,
  best: RunRecord | null = null,
): SampledQuestion & { readonly extracted: readonly (string | null)[] } {
  const first = runs[0] as RunRecord;
  return {
    id: first.question_id,
    question: first.question ?? question,
    runIds: runs.map((run) => run.run_id),
    texts: runs.map((run) => run.answer_text),
    extracted: runs.map((run) => run.extracted_answer),
    tokenLogprobs: runs.map((run) => run.token_logprobs),
    sumLogprobs: runs.map((run) => run.token_logprobs.reduce((sum, value) => sum + value, 0)),
    tokenCounts: runs.map((run) => run.tokens.length),
    tokenEntropies: runs.map((run) => run.token_entropies),
    thinkSpans: runs.map((run) => run.think_token_indices),
    isCorrect: runs.map((run) => run.is_correct),
    hiddenStates: null,
    entailment: null,
    best: best && {
      text: best.answer_text,
      tokenLogprobs: best.token_logprobs,
      tokenEntropies: best.token_entropies,
      isCorrect: best.is_correct,
    },
  };
}
