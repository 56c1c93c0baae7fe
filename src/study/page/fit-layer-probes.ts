import { fitCalibration } from "../../probes/calibration.ts";
import { describeProbe } from "../../probes/describe-probe.ts";
import type { Probe } from "../../probes/probe.ts";
import { fitProbes } from "../../probes/sweep/fit-probes-node.ts";
import { CONSTANT_FEATURES } from "../../probes/sweep/keep-probe.ts";
import { openHiddenStates } from "../../states/hidden-states.ts";
import { readProbeDataset } from "../probe-files.ts";
import { reportFit, scoreStates } from "../probes/score-study.ts";
import type { StepEvent } from "../step.ts";
import type { Workspace } from "../workspace.ts";

/**
 * One probe for each layer, at the place of a study's probe and like it in every other respect: what each layer knows of what
 * the study's probe reads at its best one. They are calibrated on the same validation questions.
 * @returns in the order of the layers, without those where nothing could be fitted
 * @throws SepError `missing-input`, `bad-artifact`
 */
export async function* fitLayerProbes(
  workspace: Workspace,
  probe: Probe,
  signal?: AbortSignal,
): AsyncGenerator<StepEvent, Probe[]> {
  const { position, kind, class_weight: classWeight, training } = probe;
  const train = await readProbeDataset(workspace.probeDataset("math_train"));
  const rows = position === null ? undefined : train.stateRows[position];
  if (position === null || rows === undefined) return [];
  const hidden = await openHiddenStates(workspace.hiddenStates("math"));
  const { seed, folds } = training;
  const fitting = fitProbes(
    { path: hidden.path, stateRows: { [position]: rows } },
    { [probe.target]: { labels: train.correct.map((correct) => 1 - correct) } },
    train.questionIds,
    {
      groups: train.questionGroups,
      probe: kind,
      c: probe.C,
      classWeight,
      seed,
      folds,
      keep: "every",
      signal,
    },
  );
  const { fitted } = yield* reportFit(fitting, { step: "train", part: "" }, 0);
  const target = fitted.targets[probe.target]!;
  const validation = await readProbeDataset(workspace.probeDataset("math_val"));
  const incorrect = validation.correct.map((correct) => 1 - correct);
  const probes: Probe[] = [];
  for (const best of target.everywhere) {
    if (best.warnings.some(({ code }) => code === CONSTANT_FEATURES)) continue;
    const targets = { [probe.target]: { ...target, best } };
    const described = describeProbe(
      { ...fitted, layerScores: [], targets },
      probe.target,
      train.questionIds,
      {
        kind,
        classWeight,
        seed,
        source: hidden.metadata,
      },
    ) as Probe;
    const scores = await scoreStates(described, validation, hidden);
    probes.push({ ...described, calibration_map: fitCalibration(scores, incorrect, "platt") });
  }
  return probes;
}
