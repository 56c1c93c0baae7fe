import type { RunRecord } from "../samples/run-record.ts";
import type { HiddenStates } from "../states/hidden-states.ts";
import type { StateRowIndex } from "../states/hidden-states-index.ts";
import type { TracePosition } from "../states/positions.ts";
import type { ProbeDataset } from "./probe-dataset.ts";

/** The entropies of one question, nats. */
export interface QuestionEntropies {
  /** null where log-probabilities are missing. */
  readonly semantic: number | null;
  readonly discrete: number;
}

/** The rows that can be used, and how many could not. */
export interface UsableRuns {
  readonly runs: readonly RunRecord[];
  /** Samples without a token at the position: truncated or missing reasoning, mostly. */
  readonly withoutPosition: number;
  /** Of those, the ones whose reasoning was cut off by the token limit. */
  readonly truncated: number;
  /** Samples whose question has no semantic entropy, having fewer than two samples. */
  readonly withoutEntropy: number;
}

/**
 * Keeps the samples that have a hidden state at the position and a semantic entropy.
 * @param entropies by question id; null if none were computed, which drops nothing
 */
export function selectUsableRuns(
  runs: readonly RunRecord[],
  index: StateRowIndex,
  entropies: ReadonlyMap<string, QuestionEntropies> | null,
  position: TracePosition,
): UsableRuns {
  const placed = runs.filter((run) => index.rowOf(position, run.question_id, run.run_id) >= 0);
  const lost = runs.filter((run) => index.rowOf(position, run.question_id, run.run_id) < 0);
  const usable = placed.filter((run) => entropies === null || entropies.has(run.question_id));
  return {
    runs: usable,
    withoutPosition: lost.length,
    truncated: lost.filter((run) => run.think_status === "truncated").length,
    withoutEntropy: placed.length - usable.length,
  };
}

/**
 * Joins samples, entropies and hidden states to one split.
 * @param runs      usable samples of the split's questions
 * @param entropies by question id; null leaves them NaN
 */
export async function assembleDataset(
  runs: readonly RunRecord[],
  hidden: HiddenStates,
  index: StateRowIndex,
  entropies: ReadonlyMap<string, QuestionEntropies> | null,
  {
    position,
    layer,
    groupOf,
  }: {
    readonly position: TracePosition;
    readonly layer: number;
    /** Of a question with duplicates, the id of the first of them. */
    readonly groupOf: ReadonlyMap<string, string>;
  },
): Promise<ProbeDataset> {
  const rowsAt = (place: TracePosition): Int32Array =>
    Int32Array.from(runs, (run) => index.rowOf(place, run.question_id, run.run_id));
  return {
    position,
    layer,
    width: hidden.width,
    X: await hidden.read(position, layer, rowsAt(position)),
    correct: Uint8Array.from(runs, (run) => (run.is_correct ? 1 : 0)),
    meanThinkEntropy: Float64Array.from(runs, (run) => run.mean_think_entropy ?? Number.NaN),
    semanticEntropy: Float64Array.from(
      runs,
      (run) => entropies?.get(run.question_id)?.semantic ?? Number.NaN,
    ),
    discreteSemanticEntropy: Float64Array.from(
      runs,
      (run) => entropies?.get(run.question_id)?.discrete ?? Number.NaN,
    ),
    questionIds: runs.map((run) => run.question_id),
    questionGroups: runs.map((run) => groupOf.get(run.question_id) ?? run.question_id),
    runIds: Int32Array.from(runs, (run) => run.run_id),
    stateRows: Object.fromEntries(hidden.positions.map((place) => [place, rowsAt(place)])),
  };
}
