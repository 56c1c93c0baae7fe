import { ortNode } from "../../engine/runtime/ort-node.ts";
import { type Audit, auditStudy } from "../../evaluation/audit.ts";
import { DEFAULT_RESAMPLES } from "../../evaluation/bootstrap-interval.ts";
import {
  type ConstantProbe,
  fitConstantProbe,
  fitShuffledProbes,
  type ShuffledControl,
} from "../../evaluation/controls.ts";
import { chooseAnswerThreshold } from "../../evaluation/evaluate-decision.ts";
import { DEFAULT_PERMUTATIONS } from "../../evaluation/evaluate-score.ts";
import { evaluateSplit, type SplitEvaluation, type SplitScores } from "../../evaluation/evaluate-split.ts";
import {
  EVALUATED_SPLITS,
  type EvaluatedSplit,
  type FamiliarityEvaluation,
  type ProbeEval,
  type UnfamiliarCount,
} from "../../evaluation/probe-eval.ts";
import { wordsOfRows } from "../../evaluation/row-words.ts";
import {
  momentOf,
  type ProbeMoments,
  SCORE_NAMES,
  type StudyScoreName,
} from "../../evaluation/score-names.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import { assessState } from "../../probes/familiarity.ts";
import type { Probe, UntrainedProbe } from "../../probes/probe.ts";
import type { ProbeDataset } from "../../probes/probe-dataset.ts";
import { createMatrixMultiplier } from "../../probes/products/matrix-multiplier.ts";
import { hasBothClasses } from "../../probes/split-questions.ts";
import { type ManifestWarning, readManifest, withoutRepeats } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { readProbeDataset } from "../probe-files.ts";
import { decideSplits, fitCalibrationMaps } from "../probes/decide-splits.ts";
import { evaluateParts } from "../probes/evaluate-parts.ts";
import type { StudyAnswers } from "../probes/read-answers.ts";
import { type ScoredAnswers, scoreAnswers } from "../probes/score-answers.ts";
import {
  hasOodSplit,
  listStudyInputs,
  readProbeStates,
  readQuestionStates,
  type ScoredSplit,
  type ScoredStudy,
  type StudyProbes,
  summariseProbe,
} from "../probes/score-study.ts";
import { findShared } from "../question-overlap.ts";
import { TARGETS } from "../settings/probes.ts";
import { SEEDS, splitSeedOf } from "../settings/sampling.ts";
import { resolveSettings, type SettingsInput } from "../settings/setting.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import type { Workspace } from "../workspace.ts";

const SETTINGS = { ...TARGETS, ...SEEDS };

export interface EvaluateProbesOptions extends StepControl, SettingsInput<typeof SETTINGS> {
  /** Bootstrap resamples behind each interval. */
  readonly resamples?: number;
  /** Label permutations behind each p-value. */
  readonly permutations?: number;
  readonly signal?: AbortSignal | undefined;
}

const STEP = { step: "eval", part: "" } as const;

/**
 * Step 7: scores the held-out questions with every probe and writes `probe_eval.json`. Without a second
 * question set there is no `ood_test`, and a warning says so.
 * @throws SepError `missing-input`, `bad-artifact`, `probe-mismatch`, and those of `runStep`
 */
export async function* evaluateProbes(
  workspace: Workspace,
  {
    resamples = DEFAULT_RESAMPLES,
    permutations = DEFAULT_PERMUTATIONS,
    force,
    plan,
    signal,
    ...options
  }: EvaluateProbesOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const { targetRisk, targetCoverage, ...seeds } = resolveSettings(SETTINGS, options);
  const seed = splitSeedOf(seeds);
  const withOod = await hasOodSplit(workspace);
  const splits = EVALUATED_SPLITS.filter((split) => withOod || split !== "ood_test");
  const settings = { resamples, permutations, seed };
  const definition = {
    ...STEP,
    inputs: await listStudyInputs(workspace, withOod),
    outputs: [workspace.probeEval],
    settings: { ...settings, targetRisk, targetCoverage, scores: [...SCORE_NAMES] },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force, plan }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    // Scoring, then for each split its evaluation, then the thresholds.
    const total = splits.length + 2;
    yield { kind: "started", ...STEP, unit: "part", done: 0, total };
    const { study, train, answers, scored } = await scoreAnswers(workspace, seed);
    const { probes } = study;
    const controls = await makeControls(workspace, probes, study.splits, seed);
    yield { kind: "advanced", ...STEP, done: 1, total, detail: "scores" };

    const validation = scored.find(({ split }) => split === "math_val")!.scores;
    const { tau, warnings: tauWarnings } = chooseTau(validation);
    const maps = fitCalibrationMaps(validation);
    const ownMaps = { ...maps, se_probe_high_se: maps.se_probe };
    const moments = { accuracy_probe: momentOfProbe(probes.accuracy), se_probe: momentOfProbe(probes.se) };
    const evaluations: Partial<Record<EvaluatedSplit, SplitEvaluation>> = {};
    for (const [done, { split, scores }] of scored.entries()) {
      signal?.throwIfAborted();
      evaluations[split] = evaluateSplit(scores, {
        tau,
        moments,
        control: controls.shuffled.get(split) ?? null,
        constantControl: controls.constant?.evaluate(scores.incorrect) ?? null,
        // calibration on the rows that the maps were fitted on would say nothing
        ...(split === "math_val" ? {} : { maps: ownMaps }),
        answers: (split === "ood_test" ? answers.ood : answers.math)?.common ?? new Map(),
        ...settings,
      });
      yield { kind: "advanced", ...STEP, done: done + 2, total, detail: split };
    }
    const targets = [
      { kind: "risk", target: targetRisk },
      { kind: "coverage", target: targetCoverage },
    ] as const;
    const parts = await evaluateParts(workspace, study.splits, settings);
    const decisions = decideSplits(scored, targets, { ...settings, isParts: parts.units !== undefined });
    const audit = auditStudy({
      moments,
      validation: evaluations.math_val!,
      test: evaluations.math_test!,
      ood: evaluations.ood_test ?? null,
      decisions,
      sharedQuestions: findSharedQuestions(train, scored, answers),
      words: wordsOfRows(parts.units),
    });
    const own = [
      ...tauWarnings,
      ...warnOfMaps(maps, probes),
      ...warningsOfSplits(evaluations),
      ...warnOfChecks(audit.checks),
    ];
    // warnings of the data sets and of training come first, since the others build on them
    const warnings = withoutRepeats([...(await readEarlierWarnings(workspace)), ...own]);
    const evaluation: ProbeEval = {
      ...assemble(study, evaluations, settings, warnings),
      audit,
      calibration_maps: maps,
      decisions,
      familiarity: await evaluateFamiliarity(probes, study.splits),
      ...parts,
    };
    await writeAtomic(workspace.probeEval, `${stableStringify(evaluation as unknown as Json, 2)}\n`);
    yield { kind: "advanced", ...STEP, done: total, total, detail: "thresholds" };
    for (const warning of own) yield { kind: "warning", ...STEP, warning };
    return { counts: countRows(study.splits), warnings };
  });
}

const momentOfProbe = (probe: Probe | UntrainedProbe): ProbeMoments["se_probe"] =>
  momentOf(probe.kind === "untrained" ? null : probe.position);

/** Held-out questions whose text is, word for word or nearly so, also that of a training question. */
function findSharedQuestions(
  { questionIds }: ProbeDataset,
  scored: readonly { readonly split: EvaluatedSplit; readonly dataset: ProbeDataset }[],
  { math, ood }: ScoredAnswers["answers"],
): string[] {
  const textsOf = (ids: readonly string[], answers: StudyAnswers | null): Map<string, string> =>
    new Map(
      [...new Set(ids)].flatMap((id) => {
        const text = answers?.questionTexts.get(id);
        return text === undefined ? [] : [[id, text] as const];
      }),
    );
  const known = textsOf(questionIds, math);
  return scored.flatMap(({ split, dataset }) => {
    const own = textsOf(dataset.questionIds, split === "ood_test" ? ood : math);
    return own.size === 0 || known.size === 0 ? [] : [...findShared(own, known.values())];
  });
}

/** What a reader must know before the numbers. */
const warnOfChecks = (checks: Audit["checks"]): ManifestWarning[] =>
  checks
    .filter(({ status }) => status === "bad")
    .map(({ id, question, finding }) => ({ code: `check-${id}`, message: `${question} ${finding}` }));

function chooseTau({ byName: { accuracy_probe: accuracyProbe }, incorrect }: SplitScores<StudyScoreName>): {
  readonly tau: number | null;
  readonly warnings: readonly ManifestWarning[];
} {
  const usable = hasBothClasses(incorrect) && !accuracyProbe.some(Number.isNaN);
  const chosen = usable ? chooseAnswerThreshold(accuracyProbe, incorrect) : null;
  if (chosen !== null) return { tau: chosen.tau, warnings: [] };
  const why = usable
    ? "no threshold there is better than chance"
    : "it lacks one class, or the probe's scores";
  const message = `tau_answer is null: it is chosen on math_val, and ${why}.`;
  return { tau: null, warnings: [{ code: "no-tau", message }] };
}

/** Warns of probes without a calibration map, whose scores must not be shown as probabilities. */
function warnOfMaps(
  maps: ReturnType<typeof fitCalibrationMaps>,
  { accuracy, se, baseline }: StudyProbes,
): ManifestWarning[] {
  const parts = [
    ["accuracy probe", accuracy, maps.accuracy_probe],
    ["SE probe", se, maps.se_probe],
    ["entropy baseline", baseline, maps.entropy_baseline],
  ] as const;
  return parts.flatMap(([name, probe, { platt }]) => {
    if (probe.kind === "untrained" || platt !== null) return [];
    const message = `The ${name} is not calibrated: on math_val its scores do not rise with its label, or there is one class.`;
    return [{ code: "no-calibration", message }];
  });
}

/** Warnings of the data sets and of training, which earlier steps have already reported. */
async function readEarlierWarnings(workspace: Workspace): Promise<ManifestWarning[]> {
  const mains = [workspace.probeDataset("math_train"), workspace.accuracyProbe];
  const manifests = await Promise.all(mains.map((main) => readManifest(manifestPathOf(main))));
  return manifests.flatMap((manifest) => manifest?.warnings ?? []);
}

const warningsOfSplits = (
  evaluations: Readonly<Partial<Record<EvaluatedSplit, SplitEvaluation>>>,
): ManifestWarning[] =>
  Object.entries(evaluations).flatMap(([split, evaluation]) =>
    evaluation.warnings.map(({ code, message }) => ({ code, message: `${split}: ${message}` })),
  );

function assemble(
  { probes, threshold, splits }: ScoredStudy,
  evaluations: Readonly<Partial<Record<EvaluatedSplit, SplitEvaluation>>>,
  settings: ProbeEval["settings"],
  warnings: readonly ManifestWarning[],
): Omit<ProbeEval, "audit"> {
  const { math_val, math_test, ood_test } = evaluations;
  return {
    math_val: math_val!,
    math_test: math_test!,
    ...(ood_test === undefined ? {} : { ood_test }),
    se_threshold: { method: threshold.method, threshold: threshold.threshold },
    probes: {
      accuracy_probe: summariseProbe(probes.accuracy),
      se_probe: summariseProbe(probes.se),
      entropy_baseline: summariseProbe(probes.baseline),
    },
    source: splits[0]!.hidden.metadata,
    settings,
    warnings,
  };
}

function countRows(scored: readonly ScoredSplit[]): Record<string, number> {
  return Object.fromEntries(
    scored.flatMap(({ split, scores }) => [
      [`${split}_rows`, scores.incorrect.length],
      [`${split}_questions`, new Set(scores.questionIds).size],
    ]),
  );
}

/**
 * Counts the questions that each probe finds unfamiliar, on the splits that its distances were not taken from. A question
 * is assessed by its first answer with a state, as in training.
 */
async function evaluateFamiliarity(
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
    const { rows, values } = await readQuestionStates(probe, dataset, hidden);
    const found = rows.map((_, i) => assessState(probe, values, i)).filter((each) => each !== null);
    const unfamiliar = found.filter(({ is_unfamiliar }) => is_unfamiliar).length;
    splits[split] = {
      question_count: found.length,
      unfamiliar_count: unfamiliar,
      unfamiliar_share: found.length === 0 ? null : unfamiliar / found.length,
    };
  }
  return { level, validation_questions: distances.length, splits };
}

/** What the accuracy probe is held against. */
interface Controls {
  /** Refitted on shuffled training labels, on every split whose rows all have its features. */
  readonly shuffled: ReadonlyMap<EvaluatedSplit, ShuffledControl>;
  /** Refitted on constant features; null if not computed. */
  readonly constant: ConstantProbe | null;
}

/** Refits the accuracy probe on data that it cannot learn from; for logistic probes of one state, or of a mean of them, only. */
async function makeControls(
  workspace: Workspace,
  { accuracy }: StudyProbes,
  scored: readonly ScoredSplit[],
  seed: number,
): Promise<Controls> {
  const controls = new Map<EvaluatedSplit, ShuffledControl>();
  const isOfOneState =
    accuracy.kind !== "untrained" && (accuracy.pooling === undefined || accuracy.pooling.method === "mean");
  if (accuracy.kind !== "logistic" || !isOfOneState) return { shuffled: controls, constant: null };
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
