import type { SplitScores } from "../../evaluation/evaluate-split.ts";
import type { EvaluatedSplit } from "../../evaluation/probe-eval.ts";
import type { Probe, UntrainedProbe } from "../../probes/probe.ts";
import type { ProbeDataset } from "../../probes/probe-dataset.ts";
import {
  assertThinkEntropies,
  type PlacedStates,
  requireProbeFits,
  scoreProbe,
} from "../../probes/score-probe.ts";
import { readFeatures } from "../../states/feature-source.ts";
import type { HiddenStates } from "../../states/hidden-states.ts";

/** The three probes of a study, as they were read. */
export interface StudyProbes {
  readonly accuracy: Probe | UntrainedProbe;
  readonly se: Probe | UntrainedProbe;
  readonly baseline: Probe | UntrainedProbe;
}

/** A split with its data set and scores. */
export interface ScoredSplit {
  readonly split: EvaluatedSplit;
  readonly dataset: ProbeDataset;
  readonly hidden: HiddenStates;
  readonly scores: SplitScores;
}

/**
 * Scores every row of a split with every probe; NaN where a probe was not trained or a row lacks its feature.
 * @param threshold of high semantic entropy, nats
 * @throws SepError `probe-mismatch`
 */
export async function scoreSplit(
  dataset: ProbeDataset,
  hidden: HiddenStates,
  probes: StudyProbes,
  threshold: number,
): Promise<SplitScores> {
  const { baseline } = probes;
  return {
    questionIds: dataset.questionIds,
    questionGroups: dataset.questionGroups,
    incorrect: dataset.correct.map((correct) => 1 - correct),
    highSemanticEntropy: Uint8Array.from(dataset.discreteSemanticEntropy, (entropy) =>
      entropy > threshold ? 1 : 0,
    ),
    accuracyProbe: await scoreStates(probes.accuracy, dataset, hidden),
    seProbe: await scoreStates(probes.se, dataset, hidden),
    entropyBaseline:
      baseline.kind === "untrained"
        ? missingScores(dataset)
        : scoreProbe(baseline, assertThinkEntropies(Float32Array.from(dataset.meanThinkEntropy))),
    semanticEntropy: dataset.semanticEntropy,
    discreteSemanticEntropy: dataset.discreteSemanticEntropy,
  };
}

/** The states of those rows of a data set that have one where the probe reads. */
export interface ProbeStates {
  readonly rows: readonly number[];
  /** [rows.length, probe.width] */
  readonly values: Float32Array;
  /** null for no rows */
  readonly states: PlacedStates | null;
}

/**
 * The states that a hidden-state probe reads.
 * @param chosen rows to read; all by default
 * @throws SepError `probe-mismatch`
 */
export async function readProbeStates(
  probe: Probe,
  dataset: ProbeDataset,
  hidden: HiddenStates,
  chosen: Iterable<number> = dataset.questionIds.keys(),
): Promise<ProbeStates> {
  requireProbeFits(probe, { width: hidden.width, source: hidden.metadata });
  const { position, layer, layer_count: layerCount } = probe;
  const stateRows = position === null ? undefined : dataset.stateRows[position];
  const rows = stateRows === undefined ? [] : Array.from(chosen).filter((row) => stateRows[row]! >= 0);
  if (position === null || layer === null || stateRows === undefined || rows.length === 0)
    return { rows: [], values: new Float32Array(0), states: null };
  const { features: values } = await readFeatures({
    kind: "file",
    path: hidden.path,
    position,
    layers: Array.from({ length: layerCount }, (_, l) => layer + l),
    rows: Int32Array.from(rows, (row) => stateRows[row]!),
  });
  const { width, metadata: source } = hidden;
  return {
    rows,
    values,
    states: { features: "hidden-state", values, position, layer, layerCount, width, source },
  };
}

/** As {@link readProbeStates}, but of each question's first row that has one; duplicates of a question are one. */
export function readQuestionStates(
  probe: Probe,
  dataset: ProbeDataset,
  hidden: HiddenStates,
): Promise<ProbeStates> {
  const { position } = probe;
  const stateRows = position === null ? undefined : dataset.stateRows[position];
  const first = new Map<string, number>();
  dataset.questionGroups.forEach((question, row) => {
    if ((stateRows?.[row] ?? -1) >= 0 && !first.has(question)) first.set(question, row);
  });
  return readProbeStates(probe, dataset, hidden, first.values());
}

/** P(label 1) of every row by a hidden-state probe; NaN where it was not trained or a row lacks its feature. */
export async function scoreStates(
  probe: Probe | UntrainedProbe,
  dataset: ProbeDataset,
  hidden: HiddenStates,
): Promise<Float64Array> {
  const scores = missingScores(dataset);
  if (probe.kind === "untrained") return scores;
  const { rows, states } = await readProbeStates(probe, dataset, hidden);
  if (states === null) return scores;
  scoreProbe(probe, states).forEach((score, i) => {
    scores[rows[i]!] = score;
  });
  return scores;
}

const missingScores = (dataset: ProbeDataset): Float64Array =>
  new Float64Array(dataset.questionIds.length).fill(Number.NaN);
