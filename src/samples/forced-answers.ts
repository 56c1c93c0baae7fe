import {
  asRow,
  booleanField,
  countField,
  numberField,
  orNull,
  spanField,
  stringField,
} from "../formats/row-fields.ts";

/** The answer that a model gives when its reasoning is closed at the end of a step. One line of `*_forced_answers.jsonl`. */
export interface ForcedAnswer {
  readonly question_id: string;
  readonly run_id: number;
  /** Index of the step within the chain, from 0. */
  readonly step: number;
  /** Half-open, in the run's `tokens`: those of the step. The reasoning was closed behind them. */
  readonly span: readonly [number, number];
  /** Everything generated after the closing tag, without the end token. */
  readonly text: string;
  readonly extracted_answer: string | null;
  readonly is_correct: boolean;
  /** Whether it is the chain's own answer, by the rule that grades answers; null for a chain that has none. */
  readonly is_final: boolean | null;
  /** Tokens generated to answer from here, the closing of the reasoning included. */
  readonly token_count: number;
  /** Mean log-probability of the answer's tokens, nats. */
  readonly mean_logprob: number;
  /** Mean entropy of the distributions that they were drawn from, nats. */
  readonly mean_entropy: number;
}

/** @throws TypeError naming the field that is wrong */
export function parseForcedAnswer(value: unknown): ForcedAnswer {
  const row = asRow(value);
  return {
    question_id: stringField(row, "question_id"),
    run_id: countField(row, "run_id"),
    step: countField(row, "step"),
    span: spanField(row, "span"),
    text: stringField(row, "text"),
    extracted_answer: orNull(row, "extracted_answer", stringField),
    is_correct: booleanField(row, "is_correct"),
    is_final: orNull(row, "is_final", booleanField),
    token_count: countField(row, "token_count"),
    mean_logprob: numberField(row, "mean_logprob"),
    mean_entropy: numberField(row, "mean_entropy"),
  };
}
