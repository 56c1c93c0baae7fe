import { splitReasoning } from "../../engine/generate/split-reasoning.ts";
import type { Prompt } from "../../engine/tokenizer/build-prompt.ts";
import { discreteSemanticEntropy } from "../../entropy/semantic-entropy.ts";
import { type Clustering, clusterAnswers } from "../../meaning/cluster-answers.ts";
import type { Equivalence } from "../../meaning/equivalence.ts";
import { allOrNone } from "../../net/map-concurrently.ts";
import type { AnswerBackend, AnswerSampler } from "../../samples/answer-backend.ts";
import { gradeAnswer, leaveUngraded } from "../../samples/grade-answer.ts";
import type { Question } from "../../samples/question.ts";
import type { RunRecord } from "../../samples/run-record.ts";

export interface BranchOptions {
  readonly backend: Pick<AnswerBackend, "model">;
  readonly sampler: Pick<AnswerSampler, "draw">;
  readonly equivalence: Equivalence;
  readonly clustering: Clustering | undefined;
  readonly question: Question;
  /** Continuations for each part. */
  readonly branch: number;
  /** Tokens of each at most; what the run's own limit leaves if undefined. */
  readonly branchTokens: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * Discrete semantic entropy of the answers that go on from the end of each part of an answer, in nats. All of an answer's forks
 * share what was kept of the tokens in front of them, so that each costs its continuation only. Every continuation has a random
 * stream of its own, by question, run, part and number: it does not depend on what is sampled beside it.
 * @param spans of the run's tokens, in their order
 */
export async function branchAnswer(
  run: RunRecord,
  spans: readonly (readonly [number, number])[],
  {
    backend: { model },
    sampler,
    equivalence,
    clustering,
    question,
    branch,
    branchTokens,
    signal,
  }: BranchOptions,
): Promise<readonly number[]> {
  const cuts = spans.map(([, end]) => run.prompt_tokens.length + end);
  return allOrNone([...spans.entries()], signal, async ([i, [, end]], abort) => {
    const begun = run.tokens.slice(0, end);
    const sharedTokens = cuts.slice(0, i + 1);
    const prompt: Prompt = {
      text: "",
      tokenIds: [...run.prompt_tokens, ...begun],
      opensReasoning: false,
      sharedTokens,
    };
    const left = Math.max(1, run.sampler.maxNewTokens - end);
    const drawn = await sampler.draw(prompt, {
      runIds: Array.from({ length: branch }, (_, index) => index),
      sampler: { ...run.sampler, maxNewTokens: Math.min(left, branchTokens ?? left) },
      seed: run.seed,
      streamKey: JSON.stringify(["branch", run.question_id, run.run_id, i]),
      sharedTokens,
      signal: abort,
    });
    const before = model.tokenizer.decode(begun);
    const answers = drawn.map(({ text, tokenIds, answerTokenCount }) => {
      const { answerText } = splitReasoning(model.tokenizer, {
        tokenIds: [...begun, ...tokenIds],
        text: before + text,
        answerTokenCount: begun.length + answerTokenCount,
        // reasoning that the prompt opened begins at the first token
        opensReasoning: run.think_token_indices?.[0] === 0,
      });
      const { correctness } = run;
      const isLeft = correctness === "judge" || correctness === "labels";
      const grade = isLeft
        ? leaveUngraded(answerText, question, correctness)
        : gradeAnswer(answerText, question, correctness);
      return grade.extracted_answer;
    });
    const { clusterIds } = await clusterAnswers(answers, equivalence, {
      question: question.question,
      clustering,
      signal: abort,
    });
    return discreteSemanticEntropy(clusterIds);
  });
}
