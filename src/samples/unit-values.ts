import { asRow, countField, numberField, spanField, stringField } from "../formats/row-fields.ts";

/** What was measured of one part of an answer. One line of `*_units_inconsistent.jsonl` or `*_units_clusters.jsonl`. */
export interface UnitValue {
  readonly question_id: string;
  readonly run_id: number;
  /** Half-open, in the run's `tokens`. */
  readonly span: readonly [number, number];
  /** `inconsistent`: 1 - mean probability of entailment, in [0, 1]; `clusters`: semantic entropy, nats. Higher is more uncertain. */
  readonly value: number;
  /** Other samples that it was compared with, or continuations that were drawn. */
  readonly count: number;
}

/** @throws TypeError naming the field that is wrong */
export function parseUnitValue(value: unknown): UnitValue {
  const row = asRow(value);
  return {
    question_id: stringField(row, "question_id"),
    run_id: countField(row, "run_id"),
    span: spanField(row, "span"),
    value: numberField(row, "value"),
    count: countField(row, "count"),
  };
}
