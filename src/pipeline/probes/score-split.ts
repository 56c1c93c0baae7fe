import type { SplitScores } from "../../evaluation/evaluate-split.ts";
import type { EvaluatedSplit } from "../../evaluation/probe-eval.ts";
import { readFeatures } from "../../probes/feature-source.ts";
import type { HiddenStates } from "../../probes/hidden-states.ts";
import type { UntrainedProbe } from "../../probes/probe.ts";
import { type Probe, requireProbeFits, scoreProbe } from "../../probes/probe.ts";
import type { ProbeDataset } from "../../probes/probe-dataset.ts";

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
        : scoreProbe(baseline, Float32Array.from(dataset.meanThinkEntropy)),
    semanticEntropy: dataset.semanticEntropy,
    discreteSemanticEntropy: dataset.discreteSemanticEntropy,
  };
}

/**
 * The features a hidden-state probe reads.
 * @returns the rows that have them, and [rows, width]
 */
export async function readProbeFeatures(
  probe: Probe,
  dataset: ProbeDataset,
  hidden: HiddenStates,
): Promise<{ readonly rows: readonly number[]; readonly features: Float32Array }> {
  requireProbeFits(probe, { width: hidden.width, source: hidden.metadata });
  const { position, layer, layer_count } = probe;
  const states = position === null ? undefined : dataset.stateRows[position];
  if (position === null || layer === null || states === undefined) {
    return { rows: [], features: new Float32Array(0) };
  }
  const rows = Array.from(states.keys()).filter((row) => states[row]! >= 0);
  if (rows.length === 0) return { rows, features: new Float32Array(0) };
  const { features } = await readFeatures({
    kind: "file",
    path: hidden.path,
    position,
    layers: Array.from({ length: layer_count }, (_, l) => layer + l),
    rows: Int32Array.from(rows, (row) => states[row]!),
  });
  return { rows, features };
}

/** P(label 1) of every row by a hidden-state probe; NaN where it was not trained or a row lacks its feature. */
export async function scoreStates(
  probe: Probe | UntrainedProbe,
  dataset: ProbeDataset,
  hidden: HiddenStates,
): Promise<Float64Array> {
  const scores = missingScores(dataset);
  if (probe.kind === "untrained") return scores;
  const { rows, features } = await readProbeFeatures(probe, dataset, hidden);
  scoreProbe(probe, features).forEach((score, i) => {
    scores[rows[i]!] = score;
  });
  return scores;
}

const missingScores = (dataset: ProbeDataset): Float64Array =>
  new Float64Array(dataset.questionIds.length).fill(Number.NaN);
