import { mapPairs, type QuestionSamples } from "../../src/entropy/question-samples.ts";
import cases from "../golden/estimate-cases.json" with { type: "json" };

/** One of the questions that the reference implementations were given. */
export type EstimateCase = (typeof cases.cases)[number];

/** All that is known of a case, its greedy answer included; `changes` replace fields. */
export function makeSamples(each: EstimateCase, changes: Partial<QuestionSamples> = {}): QuestionSamples {
  const { texts, best, token_logprobs: tokenLogprobs, token_entropies: tokenEntropies } = each;
  return {
    id: "q1",
    question: "What?",
    prompt: null,
    runIds: [...texts.keys()],
    texts,
    outputs: null,
    tokenIds: null,
    extracted: texts,
    answers: texts,
    clusterIds: each.cluster_ids,
    tokenLogprobs,
    sumLogprobs: tokenLogprobs.map((row) => row.reduce((sum, value) => sum + value, 0)),
    tokenCounts: tokenLogprobs.map((row) => row.length),
    tokenEntropies,
    thinkSpans: texts.map(() => null),
    isCorrect: null,
    hiddenStates: each.hidden_states,
    best: {
      text: texts[best]!,
      tokenLogprobs: tokenLogprobs[best]!,
      tokenEntropies: tokenEntropies[best]!,
      isCorrect: null,
    },
    entailment: mapPairs(texts.length, (i, j) => ({
      entailment: each.entailment[i]![j]!,
      neutral: each.neutral[i]![j]!,
      contradiction: each.contradiction[i]![j]!,
    })),
    similarity: each.similarity,
    sentenceVerdicts: null,
    logPTrue: null,
    ...changes,
  };
}

export const ESTIMATE_CASES: readonly EstimateCase[] = cases.cases;
