import { readFile } from "node:fs/promises";
import type { SplitScores } from "../../evaluation/evaluate-split.ts";
import { EVALUATED_SPLITS, type EvaluatedSplit, type ProbeSummary } from "../../evaluation/probe-eval.ts";
import type { StudyScoreName } from "../../evaluation/score-names.ts";
import { nameReading } from "../../probes/pooling.ts";
import type { Probe, UntrainedProbe } from "../../probes/probe.ts";
import type { ProbeDataset } from "../../probes/probe-dataset.ts";
import {
  assertThinkEntropies,
  type ProbeInput,
  requireProbeFits,
  scoreProbe,
} from "../../probes/score-probe.ts";
import type { SeThreshold } from "../../probes/se-threshold.ts";
import type { FitProbesEvent, FittedProbes } from "../../probes/sweep/sweep-probes.ts";
import { type FeatureSource, readFeatures } from "../../states/feature-source.ts";
import { type HiddenStates, openHiddenStates } from "../../states/hidden-states.ts";
import { readManifest } from "../../store/manifest.ts";
import { manifestPathOf, nameWithin, wasMade } from "../../store/output-ownership.ts";
import { fileExists } from "../../store/read-file.ts";
import { readProbeDataset, readProbeFile, weightsPathOf } from "../probe-files.ts";
import type { StepEvent } from "../step.ts";
import { tracedAnswersPath } from "../study-answers.ts";
import type { DataSetName, StepName, Workspace } from "../workspace.ts";

/** A trained study, with every held-out row scored. */
export interface ScoredStudy {
  readonly probes: StudyProbes;
  readonly threshold: SeThreshold;
  /** Validation, test, and the second question set if there is one. */
  readonly splits: readonly ScoredSplit[];
}

/**
 * Reads the probes of a study and scores its held-out answers with them.
 * @throws SepError `missing-input`, `bad-artifact`, `probe-mismatch`
 */
export async function scoreStudy(workspace: Workspace): Promise<ScoredStudy> {
  const [accuracy, se, baseline] = await Promise.all(
    [workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline].map(readProbeFile),
  );
  const probes = { accuracy: accuracy!, se: se!, baseline: baseline! };
  const threshold = JSON.parse(await readFile(workspace.seThreshold, "utf8")) as SeThreshold;
  const withOod = await hasOodSplit(workspace);
  const splits: ScoredSplit[] = [];
  for (const split of EVALUATED_SPLITS) {
    if (split === "ood_test" && !withOod) continue;
    const dataset = await readProbeDataset(workspace.probeDataset(split));
    const hidden = await openHiddenStates(workspace.hiddenStates(split === "ood_test" ? "ood" : "math"));
    const scores = await scoreSplit(dataset, hidden, probes, threshold.threshold);
    splits.push({ split, dataset, hidden, scores });
  }
  return { probes, threshold, splits };
}

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
  readonly scores: SplitScores<StudyScoreName>;
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
): Promise<SplitScores<StudyScoreName>> {
  const { baseline } = probes;
  return {
    questionIds: dataset.questionIds,
    questionGroups: dataset.questionGroups,
    incorrect: dataset.correct.map((correct) => 1 - correct),
    highSemanticEntropy: Uint8Array.from(dataset.discreteSemanticEntropy, (entropy) =>
      entropy > threshold ? 1 : 0,
    ),
    byName: {
      accuracy_probe: await scoreStates(probes.accuracy, dataset, hidden),
      se_probe: await scoreStates(probes.se, dataset, hidden),
      entropy_baseline:
        baseline.kind === "untrained"
          ? missingScores(dataset)
          : scoreProbe(baseline, assertThinkEntropies(Float32Array.from(dataset.meanThinkEntropy))),
      semantic_entropy: dataset.semanticEntropy,
      discrete_semantic_entropy: dataset.discreteSemanticEntropy,
    },
  };
}

/** The states of those rows of a data set that have one where the probe reads. */
export interface ProbeStates {
  readonly rows: readonly number[];
  /** [rows.length, probe.width] of a probe that pools tokens, their mean */
  readonly values: Float32Array;
}

/**
 * The states that a probe of hidden states reads.
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
  const rows = Array.from(chosen).filter((row) => hasStates(probe, dataset, row));
  const source = rows.length === 0 ? null : sourceOf(probe, dataset, hidden, rows, "means");
  return { rows, values: source === null ? new Float32Array(0) : (await readFeatures(source)).features };
}

function hasStates({ position, pooling }: Probe, dataset: ProbeDataset, row: number): boolean {
  if (position === null) return false;
  if (pooling === undefined) return (dataset.stateRows[position]?.[row] ?? -1) >= 0;
  // a probe of answers reads no data set of their parts, nor the other way round
  if (position !== (dataset.spans === undefined ? "every-token" : dataset.position)) return false;
  const { tokenRows } = dataset;
  return tokenRows !== undefined && tokenRows[2 * row + 1]! > tokenRows[2 * row]!;
}

/** @param rows that have states */
function sourceOf(
  { position, layer, layer_count: layerCount, pooling }: Probe,
  { stateRows, tokenRows }: ProbeDataset,
  { path }: HiddenStates,
  rows: readonly number[],
  reads: "means" | "tokens",
): FeatureSource {
  const layers = Array.from({ length: layerCount }, (_, l) => layer! + l);
  if (pooling === undefined) {
    const own = Int32Array.from(rows, (row) => stateRows[position!]![row]!);
    return { kind: "file", path, position: position!, layers, rows: own };
  }
  const ranges = Int32Array.from(rows.flatMap((row) => [...tokenRows!.subarray(2 * row, 2 * row + 2)]));
  return { kind: "spans", reads, path, layers, ranges };
}

/** As {@link readProbeStates}, but of each question's first row that has one; duplicates of a question are one. */
export function readQuestionStates(
  probe: Probe,
  dataset: ProbeDataset,
  hidden: HiddenStates,
): Promise<ProbeStates> {
  const first = new Map<string, number>();
  dataset.questionGroups.forEach((question, row) => {
    if (hasStates(probe, dataset, row) && !first.has(question)) first.set(question, row);
  });
  return readProbeStates(probe, dataset, hidden, first.values());
}

/** Rows whose tokens are read at once. */
const SPANS_AT_ONCE = 64;

/** P(label 1) of every row by a hidden-state probe; NaN where it was not trained or a row lacks its feature. */
export async function scoreStates(
  probe: Probe | UntrainedProbe,
  dataset: ProbeDataset,
  hidden: HiddenStates,
): Promise<Float64Array> {
  const scores = missingScores(dataset);
  if (probe.kind === "untrained" || probe.position === null || probe.layer === null) return scores;
  const { position, layer, layer_count: layerCount } = probe;
  const { width, metadata: source } = hidden;
  requireProbeFits(probe, { width, source });
  const place = { position, layer, layerCount, width, source };
  const rows = [...scores.keys()].filter((row) => hasStates(probe, dataset, row));
  const step = probe.pooling === undefined ? rows.length : SPANS_AT_ONCE;
  for (let first = 0; first < rows.length; first += step) {
    const own = rows.slice(first, first + step);
    const { features: values } = await readFeatures(sourceOf(probe, dataset, hidden, own, "tokens"));
    const input: ProbeInput =
      probe.pooling === undefined
        ? { features: "hidden-state", values, ...place }
        : { features: "token-states", values, starts: startsOf(dataset.tokenRows!, own), ...place };
    scoreProbe(probe, input).forEach((score, i) => {
      scores[own[i]!] = score;
    });
  }
  return scores;
}

function startsOf(tokenRows: Int32Array, rows: readonly number[]): Int32Array {
  const starts = [0];
  for (const row of rows) starts.push(starts.at(-1)! + tokenRows[2 * row + 1]! - tokenRows[2 * row]!);
  return Int32Array.from(starts);
}

const missingScores = (dataset: ProbeDataset): Float64Array =>
  new Float64Array(dataset.questionIds.length).fill(Number.NaN);

/**
 * Whether a study has out-of-distribution rows: also where they were made and their file is gone, which is then missing
 * and not left out in silence.
 */
export async function hasOodSplit(workspace: Workspace): Promise<boolean> {
  const path = workspace.probeDataset("ood_test");
  if (await fileExists(path)) return true;
  const manifest = await readManifest(manifestPathOf(workspace.probeDataset("math_train")));
  return manifest !== null && nameWithin(workspace, path) in manifest.outputs;
}

/**
 * What an evaluation of a study reads: probes, data sets, hidden states, answers and entropies. Texts that other
 * tools may not have written are left out where they are not there.
 */
export async function listStudyInputs(workspace: Workspace, withOod: boolean): Promise<string[]> {
  const probes = [workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline];
  const ood = withOod ? [workspace.probeDataset("ood_test"), workspace.hiddenStates("ood")] : [];
  const sets: readonly DataSetName[] = withOod ? ["math", "ood"] : ["math"];
  const optional = new Set<string>();
  for (const set of sets)
    for (const path of [
      workspace.raw(set),
      workspace.runs(set),
      await tracedAnswersPath(workspace, set),
      workspace.semanticEntropy(set),
    ])
      optional.add(path);
  const texts: string[] = [];
  for (const path of optional) if (await wasMade(path)) texts.push(path);
  return [
    ...probes,
    ...probes.map(weightsPathOf),
    workspace.seThreshold,
    workspace.probeDataset("math_train"),
    workspace.probeDataset("math_val"),
    workspace.probeDataset("math_test"),
    workspace.hiddenStates("math"),
    ...texts,
    ...ood,
  ];
}

/** What an evaluation says about the probe it used. @returns null for a probe that could not be trained */
export function summariseProbe(probe: Probe | UntrainedProbe): ProbeSummary | null {
  if (probe.kind === "untrained") return null;
  const { position, pooling, layer, C, training } = probe;
  return {
    position: position === null ? null : nameReading(position, pooling),
    layer,
    C,
    training_rows: training.row_count,
    training_questions: training.question_count,
    cv_auc: training.penalty_scores.find((score) => score.C === C)?.auroc ?? null,
  };
}

/**
 * Renders a fit as a step's progress.
 * @param others units of work besides that the step counts itself
 * @returns the fit, and the total that its progress counts up to
 */
export async function* reportFit(
  fitting: AsyncGenerator<FitProbesEvent, FittedProbes>,
  about: { readonly step: StepName; readonly part: string },
  others: number,
): AsyncGenerator<StepEvent, { readonly fitted: FittedProbes; readonly total: number }> {
  let total = 0;
  try {
    for (;;) {
      const step = await fitting.next();
      if (step.done) return { fitted: step.value, total };
      const event = step.value;
      total = event.total + others;
      if (event.kind === "started") yield { kind: "started", ...about, unit: "fit", done: 0, total };
      else yield { kind: "advanced", ...about, done: event.done, total, detail: describeEvent(event) };
    }
  } finally {
    await fitting.return({} as FittedProbes); // ends its threads when nobody asks for more
  }
}

function describeEvent(event: Exclude<FitProbesEvent, { readonly kind: "started" }>): string {
  switch (event.kind) {
    case "scored":
      return `layer ${event.score.layer} at ${event.score.position}`;
    case "fitted":
      return `${event.target} probe`;
    case "permuted":
      return `permutations of ${event.target}`;
  }
}
