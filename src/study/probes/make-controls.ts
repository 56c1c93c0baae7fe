import { ortNode } from "../../engine/runtime/ort-node.ts";
import {
  type ConstantProbe,
  fitConstantProbe,
  fitShuffledProbes,
  type ShuffledControl,
} from "../../evaluation/controls.ts";
import type { EvaluatedSplit } from "../../evaluation/probe-eval.ts";
import { createMatrixMultiplier } from "../../probes/products/matrix-multiplier.ts";
import { readProbeDataset } from "../probe-files.ts";
import type { Workspace } from "../workspace.ts";
import { readProbeStates, type ScoredSplit, type StudyProbes } from "./score-split.ts";

/** What the accuracy probe is held against. */
export interface Controls {
  /** Refitted on shuffled training labels, on every split whose rows all have its features. */
  readonly shuffled: ReadonlyMap<EvaluatedSplit, ShuffledControl>;
  /** Refitted on features that say nothing; null if not made. */
  readonly constant: ConstantProbe | null;
}

/** Refits the accuracy probe on what it should learn nothing from; for logistic probes only. */
export async function makeControls(
  workspace: Workspace,
  { accuracy }: StudyProbes,
  scored: readonly ScoredSplit[],
  seed: number,
): Promise<Controls> {
  const controls = new Map<EvaluatedSplit, ShuffledControl>();
  if (accuracy.kind !== "logistic") return { shuffled: controls, constant: null };
  const train = await readProbeDataset(workspace.probeDataset("math_train"));
  const { rows, values } = await readProbeStates(accuracy, train, scored[0]!.hidden);
  const labels = Uint8Array.from(rows, (row) => 1 - train.correct[row]!);
  const settings = { C: accuracy.C, classWeight: accuracy.class_weight };
  const constant = await fitConstantProbe(labels, settings);
  await using multiplier = await createMatrixMultiplier(ortNode);
  const questions = rows.map((row) => train.questionGroups[row]!);
  const shuffled = await fitShuffledProbes(
    multiplier,
    { features: values, width: accuracy.width, labels, questionIds: questions },
    { ...settings, seed },
  );
  if (shuffled === null) return { shuffled: controls, constant };
  for (const { split, dataset, hidden, scores } of scored) {
    const own = await readProbeStates(accuracy, dataset, hidden);
    const ownLabels = Uint8Array.from(own.rows, (row) => scores.incorrect[row]!);
    const control = shuffled.evaluate(own.values, ownLabels);
    if (control !== null) controls.set(split, control);
  }
  return { shuffled: controls, constant };
}
