import type { SamplerSettings } from "../../engine/generate/sampler-settings.ts";
import { isUnitPosition, type TracePosition } from "../../engine/places.ts";
import { SepError } from "../../errors.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import { quantiles } from "../../math/quantile.ts";
import { NO_FAMILIARITY } from "../../probes/assess-risk.ts";
import { fitCalibration } from "../../probes/calibration.ts";
import {
  chooseDecisionThreshold,
  type DecisionTarget,
  NO_DECISION_ON_PARTS,
} from "../../probes/choose-decision-threshold.ts";
import { describeProbe, trainEntropyBaseline } from "../../probes/describe-probe.ts";
import { fitFamiliarity } from "../../probes/familiarity.ts";
import { PROBE_FORMAT } from "../../probes/parse-probe.ts";
import { POOLINGS, type PoolingMethod } from "../../probes/pooling.ts";
import type { GenerationConfig, Probe, ProbeTarget, UntrainedProbe } from "../../probes/probe.ts";
import type { ProbeDataset } from "../../probes/probe-dataset.ts";
import { assertThinkEntropies, scoreProbe } from "../../probes/score-probe.ts";
import type { SeThreshold } from "../../probes/se-threshold.ts";
import { fitProbes } from "../../probes/sweep/fit-probes-node.ts";
import type { PooledRows } from "../../probes/sweep/sweep-units.ts";
import { type HiddenStates, openHiddenStates } from "../../states/hidden-states.ts";
import { type ManifestWarning, readManifest, withoutRepeats } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { readProbeDataset, saveProbe, weightsPathOf } from "../probe-files.ts";
import { readQuestionStates, reportFit, scoreStates } from "../probes/score-study.ts";
import { TARGETS, TRAIN_POSITIONS, TRAIN_SETTINGS } from "../settings/probes.ts";
import { SEEDS, splitSeedOf } from "../settings/sampling.ts";
import { resolveSettings, type SettingsInput } from "../settings/setting.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import { tracedAnswersPath } from "../study-answers.ts";
import type { Workspace } from "../workspace.ts";

const SETTINGS = { ...TRAIN_SETTINGS, ...TRAIN_POSITIONS, ...TARGETS, ...SEEDS };

export interface TrainProbesOptions extends StepControl, SettingsInput<typeof SETTINGS> {
  readonly signal?: AbortSignal | undefined;
}

const STEP = { step: "train", part: "" } as const;

/**
 * Step 6: chooses the SE threshold, sweeps all layers and positions by grouped cross-validation, and fits the accuracy
 * probe, the SE probe and the entropy baseline on the training questions. The validation questions then give each its
 * calibration map and its decision thresholds, so that a probe's two files are all that is needed to use it.
 * @throws SepError `missing-input`, `too-few-questions` for fewer than two training questions, `bad-artifact`,
 * `bad-option` for a position or layer that was not traced, and those of `runStep`
 */
export async function* trainProbes(
  workspace: Workspace,
  { force, plan, signal, ...options }: TrainProbesOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const { probe: kind, c: C, seed: sampling, splitSeed, ...own } = resolveSettings(SETTINGS, options);
  const settings = { ...own, seed: splitSeedOf({ seed: sampling, splitSeed }) };
  const { seThreshold, layer, window, positions, classWeight, nested, permutations } = settings;
  const { targetRisk, targetCoverage, seed, pooling, poolWindow } = settings;
  const probes = [workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline];
  const generationConfig = await readGenerationConfig(workspace);
  const definition = {
    ...STEP,
    inputs: [
      workspace.probeDataset("math_train"),
      workspace.probeDataset("math_val"),
      workspace.hiddenStates("math"),
    ],
    outputs: [...probes, ...probes.map(weightsPathOf), workspace.seThreshold],
    settings: {
      ...settings,
      positions: typeof positions === "string" ? positions : [...positions],
      pooling: typeof pooling === "string" ? pooling : [...pooling],
      kind,
      C,
      asking: generationConfig as unknown as Json,
      format: PROBE_FORMAT.version, // probes of an earlier one cannot be read, and are fitted again
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
    const readings = listReadings(pooling);
    const spans = takeSpans(train, hidden, readings, poolWindow);
    const fitting = fitProbes(
      { path: hidden.path, stateRows: takePositions(train, hidden, positions), spans },
      {
        incorrect: { labels: train.correct.map((correct) => 1 - correct) },
        "high-semantic-entropy": { values: train.discreteSemanticEntropy, threshold: seThreshold },
      } satisfies Record<ProbeTarget, unknown>,
      questionIds,
      {
        groups: questionGroups,
        probe: kind,
        c: C,
        layer,
        window,
        position: positions === "dataset" ? train.position : "best",
        pooledOnly: !readings.includes("token"),
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
    const warnings = [...threshold.warnings, ...warnOfEmptySpans(spans)];
    const source = hidden.metadata;
    const validation = await readProbeDataset(workspace.probeDataset("math_val"));
    const targets = [
      { kind: "risk", target: targetRisk },
      { kind: "coverage", target: targetCoverage },
    ] as const;
    const calibrating = { train, hidden, seThreshold: threshold.threshold, targets, generationConfig };
    for (const [target, path] of [
      ["incorrect", workspace.accuracyProbe],
      ["high-semantic-entropy", workspace.seProbe],
    ] as const) {
      const probe = describeProbe(fitted, target, questionIds, { kind, classWeight, seed, source });
      const named = target === "incorrect" ? nameLabel(probe, train) : probe;
      const calibrated = await calibrateProbe(named, validation, calibrating);
      await saveProbe(path, calibrated);
      warnings.push(...calibrated.warnings);
    }
    const { labels } = fitted.targets["incorrect" satisfies ProbeTarget]!;
    const baseline = await trainEntropyBaseline(
      { target: "incorrect", labels, questionIds },
      train.meanThinkEntropy,
      { classWeight, seed, source },
    );
    await saveProbe(
      workspace.entropyBaseline,
      await calibrateProbe(nameLabel(baseline, train), validation, calibrating),
    );
    warnings.push(...baseline.warnings);
    yield { kind: "advanced", ...STEP, done: total, total, detail: "entropy baseline" };
    const found = withoutRepeats(warnings);
    for (const warning of found) yield { kind: "warning", ...STEP, warning };
    return { counts: countTraining(train, labels, threshold), warnings: found };
  });
}

/** A probe of another label than that of whole answers says so. */
const nameLabel = <P extends Probe | UntrainedProbe>(probe: P, { label, labelThreshold }: ProbeDataset): P =>
  label === "final-incorrect" || probe.kind === "untrained"
    ? probe
    : { ...probe, label, ...(labelThreshold === undefined ? {} : { label_threshold: labelThreshold }) };

/** The swept positions, each with its rows. */
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

type Reading = "token" | PoolingMethod;

const listReadings = (asked: "all" | "token" | readonly Reading[]): readonly Reading[] =>
  asked === "all" ? ["token", ...POOLINGS] : asked === "token" ? ["token"] : asked;

/**
 * The spans whose tokens are pooled, each row's own; undefined where none are.
 * @throws SepError `bad-option` where they were not traced, or a row is a single token
 */
function takeSpans(
  { position, spans, tokenRows }: ProbeDataset,
  hidden: HiddenStates,
  readings: readonly Reading[],
  window: number,
): PooledRows | undefined {
  const poolings = POOLINGS.filter((method) => readings.includes(method)).map((method) => ({
    method,
    window: method === "rolling-max" ? window : null,
  }));
  if (poolings.length === 0) return undefined;
  const refuse = (reason: string, remedy: string): never => {
    throw new SepError("bad-option", `Got --pooling ${poolings[0]!.method}, but ${reason}. ${remedy}`);
  };
  if (position === "every-token")
    return refuse(
      "each row of the data sets is one token",
      "Make data sets of answers, steps or sentences with `sep dataset --position`.",
    );
  if (tokenRows === undefined)
    return refuse(
      hidden.positions.includes("every-token")
        ? "the data sets do not say where the tokens are"
        : `every-token was not traced in ${hidden.path}`,
      "Add every-token to `sep trace --positions`, then run `sep dataset`.",
    );
  return { position: spans === undefined ? "every-token" : position, ranges: tokenRows, poolings };
}

function warnOfEmptySpans(spans: PooledRows | undefined): ManifestWarning[] {
  if (spans === undefined) return [];
  const rows = spans.ranges.length / 2;
  const empty = Array.from({ length: rows }, (_, row) => row).filter(
    (row) => spans.ranges[2 * row] === spans.ranges[2 * row + 1],
  ).length;
  if (empty === 0) return [];
  const message = `${empty} of ${rows} training rows have no token to pool. Pooled probes cannot score such rows, and are only chosen where no place that more rows have may be.`;
  return [{ code: "empty-spans", message }];
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

interface CalibrateProbeOptions {
  /** What the probe was fitted on. */
  readonly train: ProbeDataset;
  readonly hidden: HiddenStates;
  /** Of high semantic entropy, nats. */
  readonly seThreshold: number;
  readonly targets: readonly DecisionTarget[];
  readonly generationConfig: GenerationConfig | null;
}

/**
 * Completes a fitted probe with what needs other questions: the map from scores to probabilities, the
 * thresholds for answering, and the distances of familiar questions from the training states.
 * @param validation rows of questions that nothing was fitted or chosen on
 */
async function calibrateProbe(
  probe: Probe | UntrainedProbe,
  validation: ProbeDataset,
  { train, hidden, seThreshold, targets, generationConfig }: CalibrateProbeOptions,
): Promise<Probe | UntrainedProbe> {
  if (probe.kind === "untrained") return probe;
  const scores =
    probe.features === "mean-think-entropy"
      ? scoreProbe(probe, assertThinkEntropies(Float32Array.from(validation.meanThinkEntropy)))
      : await scoreStates(probe, validation, hidden);
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
    score_deciles: decilesOf(scores),
    decisions: targets.map((target) => ({
      ...target,
      ...(isUnitPosition(validation.position)
        ? NO_DECISION_ON_PARTS
        : chooseDecisionThreshold(scores, incorrect, questionGroups, target)),
    })),
    asking: generationConfig,
  };
}

const DECILES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

function decilesOf(scores: Float64Array): Probe["score_deciles"] {
  const known = scores.filter((score) => !Number.isNaN(score));
  return known.length === 0 ? null : quantiles(known, DECILES);
}

async function recordFamiliarity(
  probe: Probe,
  train: ProbeDataset,
  validation: ProbeDataset,
  hidden: HiddenStates,
): Promise<Pick<Probe, "familiarity" | "warnings">> {
  if (probe.features === "mean-think-entropy") return { familiarity: null, warnings: [] };
  const { familiarity, reason } = fitFamiliarity(probe, {
    training: (await readQuestionStates(probe, train, hidden)).values,
    validation: (await readQuestionStates(probe, validation, hidden)).values,
  });
  const name = probe.target === "incorrect" ? "accuracy" : "SE";
  const message = `The ${name} probe cannot tell which questions are unfamiliar: ${reason}. Add questions.`;
  return { familiarity, warnings: reason === null ? [] : [{ code: NO_FAMILIARITY, message }] };
}

/** The generation config of the runs. @returns null for runs that `sep generate` did not make */
export async function readGenerationConfig(workspace: Workspace): Promise<GenerationConfig | null> {
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
