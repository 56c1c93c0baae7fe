import { SepError } from "../../errors.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import { describeProbe } from "../../probes/describe-probe.ts";
import type { ClassWeight } from "../../probes/fit-logistic.ts";
import { fitProbes } from "../../probes/fit-probes.ts";
import { PROBE_FORMAT } from "../../probes/parse-probe.ts";
import { type ProbeDataset, readProbeDataset } from "../../probes/probe-dataset.ts";
import { saveProbe, weightsPathOf } from "../../probes/probe-file.ts";
import type { ProbeKind } from "../../probes/probe-kind.ts";
import type { SeThreshold, SeThresholdChoice } from "../../probes/se-threshold.ts";
import type { ProbeTarget } from "../../probes/select-layer.ts";
import { trainEntropyBaseline } from "../../probes/train-entropy-baseline.ts";
import { type HiddenStates, openHiddenStates } from "../../states/hidden-states.ts";
import type { TracePosition } from "../../states/positions.ts";
import { withoutRepeats } from "../../store/manifest.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import type { Workspace } from "../workspace.ts";
import { calibrateProbe, readAsking } from "./calibrate-probe.ts";
import { DEFAULT_TARGET_COVERAGE, DEFAULT_TARGET_RISK } from "./decision-defaults.ts";
import { reportFit } from "./report-fit.ts";

export interface TrainProbesOptions extends StepControl {
  /** How semantic entropy becomes a label, or the threshold itself in nats. */
  readonly seThreshold?: SeThresholdChoice;
  /** What the probes are. The entropy baseline is a logistic regression whatever it is. */
  readonly kind?: ProbeKind;
  /** "cv" chooses the penalty by cross-validation. */
  readonly C?: number | "cv";
  /** "best" chooses the layer by cross-validation, for each probe; the first one of a window. */
  readonly layer?: number | "best" | undefined;
  /** How many layers in a row a probe reads. */
  readonly window?: number;
  /** Positions to choose from with the layer; "dataset" is the data sets' own, and scores the others besides. */
  readonly positions?: "dataset" | "all" | readonly TracePosition[];
  readonly classWeight?: ClassWeight;
  /** Whether to estimate the whole procedure, its choices included, within the training questions. */
  readonly nested?: boolean;
  /** Label permutations, each refitted, to test the probes with; 0 for no test. */
  readonly permutations?: number;
  /** Share of all answers that may be given and wrong, in (0, 1): a threshold that promises it is kept with each probe. */
  readonly targetRisk?: number;
  /** Share of answers to be given, in (0, 1); the same. */
  readonly targetCoverage?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

const STEP = { step: "train", part: "" } as const;

/**
 * Step 6: chooses the SE threshold, sweeps all layers and positions by grouped cross-validation, and fits the accuracy
 * probe, the SE probe and the entropy baseline on the training questions. The validation questions then give each its
 * calibration map and its decision thresholds, so that a probe's own two files are all it takes to use it.
 * @throws SepError `missing-input`, `too-few-questions` for fewer than two training questions, `bad-artefact`,
 * `bad-option` for a position or layer that was not traced, and those of `runStep`
 */
export async function* trainProbes(
  workspace: Workspace,
  {
    seThreshold = "best-split",
    kind = "logistic",
    C = "cv",
    layer = "best",
    window = 1,
    positions = "dataset",
    classWeight = "none",
    nested = false,
    permutations = 0,
    targetRisk = DEFAULT_TARGET_RISK,
    targetCoverage = DEFAULT_TARGET_COVERAGE,
    seed = 42,
    force,
    plan,
    signal,
  }: TrainProbesOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const probes = [workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline];
  const asking = await readAsking(workspace);
  const chosenPositions = typeof positions === "string" ? positions : [...positions];
  const definition = {
    ...STEP,
    inputs: [
      workspace.probeDataset("math_train"),
      workspace.probeDataset("math_val"),
      workspace.hiddenStates("math"),
    ],
    outputs: [...probes, ...probes.map(weightsPathOf), workspace.seThreshold],
    settings: {
      seThreshold,
      kind,
      C,
      layer,
      window,
      positions: chosenPositions,
      classWeight,
      nested,
      permutations,
      targetRisk,
      targetCoverage,
      asking: asking as unknown as Json,
      seed,
      format: PROBE_FORMAT.version, // probes of an earlier one cannot be read, and are fitted anew
    },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force, plan }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    const train = await readProbeDataset(workspace.probeDataset("math_train"));
    const hidden = await openHiddenStates(workspace.hiddenStates("math"));
    const { questionIds, questionGroups } = train;
    const fitting = fitProbes(
      { path: hidden.path, stateRows: takePositions(train, hidden, positions) },
      {
        incorrect: { labels: train.correct.map((correct) => 1 - correct) },
        "high-semantic-entropy": { values: train.discreteSemanticEntropy, threshold: seThreshold },
      } satisfies Record<ProbeTarget, unknown>,
      questionIds,
      {
        groups: questionGroups,
        kind,
        C,
        layer,
        window,
        position: positions === "dataset" ? train.position : "best",
        classWeight,
        nested,
        permutations,
        seed,
        signal,
      },
    );
    const { fitted, total } = yield* reportFit(fitting, STEP, 1);
    const threshold = fitted.targets["high-semantic-entropy" satisfies ProbeTarget]!.threshold!;
    await writeAtomic(workspace.seThreshold, `${stableStringify(threshold as unknown as Json, 2)}\n`);
    const warnings = [...threshold.warnings];
    const source = hidden.metadata;
    const validation = await readProbeDataset(workspace.probeDataset("math_val"));
    const targets = [
      { kind: "risk", target: targetRisk },
      { kind: "coverage", target: targetCoverage },
    ] as const;
    const calibrating = { train, hidden, seThreshold: threshold.threshold, targets, asking };
    for (const [target, path] of [
      ["incorrect", workspace.accuracyProbe],
      ["high-semantic-entropy", workspace.seProbe],
    ] as const) {
      const probe = describeProbe(fitted, target, questionIds, { kind, classWeight, seed, source });
      const calibrated = await calibrateProbe(probe, validation, calibrating);
      await saveProbe(path, calibrated);
      warnings.push(...calibrated.warnings);
    }
    const { labels } = fitted.targets["incorrect" satisfies ProbeTarget]!;
    const baseline = await trainEntropyBaseline(
      { target: "incorrect", labels, questionIds },
      train.meanThinkEntropy,
      { classWeight, seed, source },
    );
    await saveProbe(workspace.entropyBaseline, await calibrateProbe(baseline, validation, calibrating));
    warnings.push(...baseline.warnings);
    yield { kind: "advanced", ...STEP, done: total, total, detail: "entropy baseline" };
    const found = withoutRepeats(warnings);
    for (const warning of found) yield { kind: "warning", ...STEP, warning };
    return { counts: countTraining(train, labels, threshold), warnings: found };
  });
}

/** The positions that are swept, each with its rows. */
function takePositions(
  train: ProbeDataset,
  hidden: HiddenStates,
  positions: "dataset" | "all" | readonly TracePosition[],
): Partial<Record<TracePosition, Int32Array>> {
  const wanted = typeof positions === "string" ? hidden.positions : positions;
  return Object.fromEntries(
    wanted.map((position) => {
      const own = train.stateRows[position];
      if (own !== undefined) return [position, own];
      throw new SepError(
        "bad-option",
        `Position ${position} was not traced in ${hidden.path}; there are ${hidden.positions.join(", ")}. Choose some of them with --positions.`,
      );
    }),
  );
}

function countTraining(
  { questionIds }: ProbeDataset,
  incorrect: Uint8Array,
  threshold: SeThreshold,
): Record<string, number> {
  return {
    rows: questionIds.length,
    questions: new Set(questionIds).size,
    incorrect: incorrect.reduce((sum, label) => sum + label, 0),
    high_semantic_entropy_questions: threshold.high_count,
  };
}
