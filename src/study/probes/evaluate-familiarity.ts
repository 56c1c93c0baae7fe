import type {
  EvaluatedSplit,
  FamiliarityEvaluation,
  ProbeEval,
  UnfamiliarCount,
} from "../../evaluation/probe-eval.ts";
import { measureFamiliarity } from "../../probes/familiarity.ts";
import type { Probe, UntrainedProbe } from "../../probes/probe.ts";
import { readQuestionStates, type ScoredSplit, type StudyProbes } from "./score-split.ts";

/**
 * Counts the questions that each probe finds unfamiliar, on the splits that its distances were not taken from. A question
 * is judged by its first answer with a state, as in training.
 */
export async function evaluateFamiliarity(
  { accuracy, se }: StudyProbes,
  scored: readonly ScoredSplit[],
): Promise<NonNullable<ProbeEval["familiarity"]>> {
  const held = scored.filter(({ split }) => split !== "math_val");
  return {
    accuracy_probe: await countUnfamiliar(accuracy, held),
    se_probe: await countUnfamiliar(se, held),
  };
}

/** @returns null for a probe that cannot tell */
async function countUnfamiliar(
  probe: Probe | UntrainedProbe,
  held: readonly ScoredSplit[],
): Promise<FamiliarityEvaluation | null> {
  if (probe.kind === "untrained" || probe.familiarity === null) return null;
  const { level, distances } = probe.familiarity;
  const splits: Partial<Record<EvaluatedSplit, UnfamiliarCount>> = {};
  for (const { split, dataset, hidden } of held) {
    const { states } = await readQuestionStates(probe, dataset, hidden);
    const found = states === null ? [] : measureFamiliarity(probe, states).filter((each) => each !== null);
    const unfamiliar = found.filter(({ is_unfamiliar }) => is_unfamiliar).length;
    splits[split] = {
      question_count: found.length,
      unfamiliar_count: unfamiliar,
      unfamiliar_share: found.length === 0 ? null : unfamiliar / found.length,
    };
  }
  return { level, validation_questions: distances.length, splits };
}
