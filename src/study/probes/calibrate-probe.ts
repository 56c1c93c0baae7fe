import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import type { Json } from "../../formats/json.ts";
import { NO_FAMILIARITY } from "../../probes/assess-risk.ts";
import { chooseDecisionThreshold, type DecisionTarget } from "../../probes/choose-decision-threshold.ts";
import { fitCalibration } from "../../probes/fit-calibration.ts";
import { fitFamiliarity } from "../../probes/fit-familiarity.ts";
import type { AskingRecord, Probe, UntrainedProbe } from "../../probes/probe.ts";
import type { ProbeDataset } from "../../probes/probe-dataset.ts";
import { assertThinkEntropies, scoreProbe } from "../../probes/score-probe.ts";
import type { HiddenStates } from "../../states/hidden-states.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { tracedAnswersPath } from "../tracing/traced-answers.ts";
import type { Workspace } from "../workspace.ts";
import { readQuestionStates, scoreStates } from "./score-split.ts";

export interface CalibrateProbeOptions {
  /** What the probe was fitted on. */
  readonly train: ProbeDataset;
  readonly hidden: HiddenStates;
  /** Of high semantic entropy, nats. */
  readonly seThreshold: number;
  readonly targets: readonly DecisionTarget[];
  readonly asking: AskingRecord | null;
}

/**
 * Completes a fitted probe with what only other questions can tell: how its scores become probabilities, above which
 * score not to answer, and how far from the training states familiar questions lie.
 * @param validation rows of questions that nothing was fitted or chosen on
 */
export async function calibrateProbe(
  probe: Probe | UntrainedProbe,
  validation: ProbeDataset,
  { train, hidden, seThreshold, targets, asking }: CalibrateProbeOptions,
): Promise<Probe | UntrainedProbe> {
  if (probe.kind === "untrained") return probe;
  const scores =
    probe.features === "hidden-state"
      ? await scoreStates(probe, validation, hidden)
      : scoreProbe(probe, assertThinkEntropies(Float32Array.from(validation.meanThinkEntropy)));
  const incorrect = validation.correct.map((correct) => 1 - correct);
  const { discreteSemanticEntropy: entropies, questionGroups } = validation;
  const isIncorrectness = probe.target === "incorrect";
  const labels = isIncorrectness ? incorrect : Uint8Array.from(entropies, (h) => (h > seThreshold ? 1 : 0));
  const labelled = scores.map((score, row) =>
    isIncorrectness || !Number.isNaN(entropies[row]) ? score : Number.NaN,
  );
  const { familiarity, warnings } = await recordFamiliarity(probe, train, validation, hidden);
  return {
    ...probe,
    familiarity,
    warnings: [...probe.warnings, ...warnings],
    calibration_map: fitCalibration(labelled, labels, "platt"),
    decisions: targets.map((target) => ({
      ...target,
      ...chooseDecisionThreshold(scores, incorrect, questionGroups, target),
    })),
    asking,
  };
}

async function recordFamiliarity(
  probe: Probe,
  train: ProbeDataset,
  validation: ProbeDataset,
  hidden: HiddenStates,
): Promise<Pick<Probe, "familiarity" | "warnings">> {
  if (probe.features !== "hidden-state") return { familiarity: null, warnings: [] };
  const { familiarity, reason } = fitFamiliarity(probe, {
    training: (await readQuestionStates(probe, train, hidden)).values,
    validation: (await readQuestionStates(probe, validation, hidden)).values,
  });
  const name = probe.target === "incorrect" ? "accuracy" : "SE";
  const message = `The ${name} probe cannot tell which questions are unfamiliar: ${reason}. Add questions.`;
  return { familiarity, warnings: reason === null ? [] : [{ code: NO_FAMILIARITY, message }] };
}

/** How the generate step asked the model. @returns null for runs that it did not make */
export async function readAsking(workspace: Workspace): Promise<AskingRecord | null> {
  const manifest = await readManifest(manifestPathOf(await tracedAnswersPath(workspace, "math")));
  if (manifest === null || manifest.step !== "generate") return null;
  const { prompt_format, system_prompt, enable_thinking, sampler } = manifest.settings;
  return {
    prompt_format: prompt_format as Json,
    system_prompt: system_prompt as string | null,
    enable_thinking: enable_thinking as boolean | null,
    sampler: sampler as unknown as SamplerSettings,
  };
}
