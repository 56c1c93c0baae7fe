import type { ProbeSummary } from "../../evaluation/probe-eval.ts";
import type { Probe, UntrainedProbe } from "../../probes/probe.ts";

/** What an evaluation says about the probe it used. @returns null for a probe that could not be trained */
export function summariseProbe(probe: Probe | UntrainedProbe): ProbeSummary | null {
  if (probe.kind === "untrained") return null;
  const { position, layer, C, training } = probe;
  return {
    position,
    layer,
    C,
    training_rows: training.row_count,
    training_questions: training.question_count,
    cv_auc: training.penalty_scores.find((score) => score.C === C)?.auroc ?? null,
  };
}
