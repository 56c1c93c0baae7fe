import type { ClassWeight } from "../probes/fit-logistic.ts";
import { groupedStratifiedFolds } from "../probes/grouped-folds.ts";
import { type HiddenStates, openHiddenStates } from "../probes/hidden-states.ts";
import { createMatrixMultiplier, type MatrixMultiplier } from "../probes/matrix-multiplier.ts";
import { type ProbeDataset, readProbeDataset } from "../probes/probe-dataset.ts";
import { saveProbe, weightsPathOf } from "../probes/probe-file.ts";
import { chooseSeThreshold, type SeThreshold, type SeThresholdChoice } from "../probes/se-threshold.ts";
import { type LayerScore, type SweepRows, sweepLayers } from "../probes/select-layer.ts";
import { trainEntropyBaseline, trainHiddenStateProbe } from "../probes/train-probe.ts";
import { type Json, stableStringify } from "../store/json.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import { writeAtomic } from "../store/write-atomic.ts";
import type { TracePosition } from "../tracing/positions.ts";
import { runStep, type StepEvent, type StepOutcome, type StepResult } from "./step.ts";
import type { Workspace } from "./workspace.ts";

export interface TrainProbesOptions {
  /** How semantic entropy becomes a label, or the threshold itself in nats. */
  readonly seThreshold?: SeThresholdChoice;
  /** "cv" chooses the penalty by cross-validation. */
  readonly C?: number | "cv";
  /** "best" chooses the layer by cross-validation, for each probe. */
  readonly layer?: number | "best" | undefined;
  /** Positions to sweep beside the data set's own, which the probes read; all traced ones if left out. */
  readonly positions?: readonly TracePosition[];
  readonly classWeight?: ClassWeight;
  readonly seed?: number;
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

const STEP = { step: "train", part: "" } as const;
const FOLDS = 5;
/** The three probes, after the sweep over layers. */
const PROBE_COUNT = 3;

/**
 * Step 6: chooses the SE threshold, sweeps all layers and positions by grouped cross-validation, and fits the accuracy
 * probe, the SE probe and the entropy baseline on the training questions.
 * @throws SepError `missing-input`, `too-few-questions` for fewer than two training questions, `bad-artefact`, and
 * those of `runStep`
 */
export async function* trainProbes(
  workspace: Workspace,
  {
    seThreshold = "best-split",
    C = "cv",
    layer = "best",
    positions,
    classWeight = "none",
    seed = 42,
    force = false,
    signal,
  }: TrainProbesOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const probes = [workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline];
  const definition = {
    ...STEP,
    inputs: [workspace.probeDataset("math_train"), workspace.hiddenStates("math")],
    outputs: [...probes, ...probes.map(weightsPathOf), workspace.seThreshold],
    settings: {
      seThreshold,
      C,
      layer,
      positions: positions === undefined ? "all" : [...positions],
      classWeight,
      seed,
    },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    const train = await readProbeDataset(workspace.probeDataset("math_train"));
    const hidden = await openHiddenStates(workspace.hiddenStates("math"));
    const threshold = chooseSeThreshold(entropyOfEachQuestion(train), { method: seThreshold });
    await writeAtomic(workspace.seThreshold, `${stableStringify(threshold as unknown as Json, 2)}\n`);
    const rows = sweepRowsOf(train, threshold, seed, positions ?? hidden.positions);
    await using multiplier = await createMatrixMultiplier();
    const scores = yield* sweep(multiplier, hidden, rows, classWeight, signal);
    const warnings = [...threshold.warnings];
    const options = { position: train.position, layer, C, classWeight, seed };
    const { questionIds } = train;
    const swept = scores.length;
    const total = swept + PROBE_COUNT;
    const stateRows = train.stateRows[train.position]!;
    for (const [done, target, path] of [
      [1, "incorrect", workspace.accuracyProbe],
      [2, "high-semantic-entropy", workspace.seProbe],
    ] as const) {
      const probe = await trainHiddenStateProbe(
        multiplier,
        hidden,
        { target, labels: rows.labels[target], questionIds },
        stateRows,
        rows.folds,
        scores,
        options,
      );
      await saveProbe(path, probe);
      warnings.push(...probe.warnings);
      yield { kind: "advanced", ...STEP, done: swept + done, total, detail: `${target} probe` };
    }
    const baseline = await trainEntropyBaseline(
      { target: "incorrect", labels: rows.labels.incorrect, questionIds },
      train.meanThinkEntropy,
      { classWeight, seed, source: hidden.metadata },
    );
    await saveProbe(workspace.entropyBaseline, baseline);
    warnings.push(...baseline.warnings);
    yield { kind: "advanced", ...STEP, done: total, total, detail: "entropy baseline" };
    for (const warning of warnings) yield { kind: "warning", ...STEP, warning };
    return { counts: countTraining(train, rows, threshold), warnings: withoutRepeats(warnings) };
  });
}

async function* sweep(
  multiplier: MatrixMultiplier,
  hidden: HiddenStates,
  rows: SweepRows,
  classWeight: ClassWeight,
  signal: AbortSignal | undefined,
): AsyncGenerator<StepEvent, LayerScore[]> {
  const swept = hidden.positions.filter((position) => rows.stateRows[position]?.some((row) => row >= 0));
  const total = swept.length * hidden.layers.length + PROBE_COUNT;
  yield { kind: "started", ...STEP, unit: "fit", done: 0, total };
  const scores: LayerScore[] = [];
  for await (const score of sweepLayers(multiplier, hidden, rows, { classWeight })) {
    signal?.throwIfAborted();
    scores.push(score);
    yield {
      kind: "advanced",
      ...STEP,
      done: scores.length,
      total,
      detail: `layer ${score.layer} at ${score.position}`,
    };
  }
  return scores;
}

function sweepRowsOf(
  train: ProbeDataset,
  { threshold }: SeThreshold,
  seed: number,
  positions: readonly TracePosition[],
): SweepRows {
  const incorrect = train.correct.map((correct) => 1 - correct);
  const high = Uint8Array.from(train.discreteSemanticEntropy, (entropy) => (entropy > threshold ? 1 : 0));
  // One assignment serves both targets, so it is stratified on both labels at once.
  const joint = incorrect.map((wrong, row) => wrong + 2 * high[row]!);
  const foldCount = Math.min(FOLDS, new Set(train.questionIds).size);
  return {
    stateRows: Object.fromEntries(
      [...new Set([...positions, train.position])].flatMap((position) => {
        const own = train.stateRows[position];
        return own === undefined ? [] : [[position, own]];
      }),
    ),
    labels: { incorrect, "high-semantic-entropy": high },
    folds: { foldOf: groupedStratifiedFolds(train.questionIds, joint, foldCount, seed), foldCount },
  };
}

/** Each training question once: its rows share the value, and dropped samples must not weigh on the threshold. */
function entropyOfEachQuestion({ questionIds, discreteSemanticEntropy }: ProbeDataset): Float64Array {
  const values = new Map(questionIds.map((question, row) => [question, discreteSemanticEntropy[row]!]));
  return Float64Array.from(values.values());
}

function countTraining(train: ProbeDataset, rows: SweepRows, threshold: SeThreshold): Record<string, number> {
  return {
    rows: train.questionIds.length,
    questions: new Set(train.questionIds).size,
    incorrect: rows.labels.incorrect.reduce((sum, label) => sum + label, 0),
    high_semantic_entropy_questions: threshold.high_count,
  };
}

function withoutRepeats(warnings: readonly ManifestWarning[]): ManifestWarning[] {
  return [...new Map(warnings.map((warning) => [warning.message, warning])).values()];
}
