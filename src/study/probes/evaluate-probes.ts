import { chooseAnswerThreshold } from "../../evaluation/answer-threshold.ts";
import { DEFAULT_RESAMPLES } from "../../evaluation/bootstrap-interval.ts";
import { evaluateSplit, type SplitEvaluation, type SplitScores } from "../../evaluation/evaluate-split.ts";
import { DEFAULT_PERMUTATIONS } from "../../evaluation/permutation-test.ts";
import { EVALUATED_SPLITS, type EvaluatedSplit, type ProbeEval } from "../../evaluation/probe-eval.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import { hasBothClasses } from "../../probes/cross-validate.ts";
import type { SeThreshold } from "../../probes/se-threshold.ts";
import type { HiddenStates } from "../../states/hidden-states.ts";
import { fileExists } from "../../store/file-exists.ts";
import { type ManifestWarning, readManifest, withoutRepeats } from "../../store/manifest.ts";
import { manifestPathOf } from "../../store/output-ownership.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import type { Workspace } from "../workspace.ts";
import { readCommonAnswers } from "./common-answers.ts";
import { decideSplits, fitCalibrationMaps } from "./decide-splits.ts";
import { DEFAULT_TARGET_COVERAGE, DEFAULT_TARGET_RISK } from "./decision-defaults.ts";
import { evaluateFamiliarity } from "./evaluate-familiarity.ts";
import { makeControls } from "./make-controls.ts";
import type { ScoredSplit, StudyProbes } from "./score-split.ts";
import { scoreStudy } from "./score-study.ts";
import { listStudyInputs } from "./study-inputs.ts";
import { summariseProbe } from "./summarise-probe.ts";

export interface EvaluateProbesOptions extends StepControl {
  /** Bootstrap resamples behind each interval. */
  readonly resamples?: number;
  /** Label permutations behind each p-value. */
  readonly permutations?: number;
  /** Share of all answers that may be given and wrong, in (0, 1); a threshold is chosen that promises it. */
  readonly targetRisk?: number;
  /** Share of answers to be given, in (0, 1). */
  readonly targetCoverage?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

const STEP = { step: "eval", part: "" } as const;

/**
 * Step 7: scores the held-out questions with every probe and writes `probe_eval.json`. Without a second
 * question set there is no `ood_test`, and a warning says so.
 * @throws SepError `missing-input`, `bad-artefact`, `probe-mismatch`, and those of `runStep`
 */
export async function* evaluateProbes(
  workspace: Workspace,
  {
    resamples = DEFAULT_RESAMPLES,
    permutations = DEFAULT_PERMUTATIONS,
    targetRisk = DEFAULT_TARGET_RISK,
    targetCoverage = DEFAULT_TARGET_COVERAGE,
    seed = 42,
    force,
    plan,
    signal,
  }: EvaluateProbesOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const withOod = await fileExists(workspace.probeDataset("ood_test"));
  const splits = EVALUATED_SPLITS.filter((split) => withOod || split !== "ood_test");
  const settings = { resamples, permutations, seed };
  const definition = {
    ...STEP,
    inputs: await listStudyInputs(workspace, withOod),
    outputs: [workspace.probeEval],
    settings: { ...settings, targetRisk, targetCoverage },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force, plan }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    // Scoring, then for each split its evaluation, then the thresholds.
    const total = splits.length + 2;
    yield { kind: "started", ...STEP, unit: "part", done: 0, total };
    const { probes, threshold, splits: scored } = await scoreStudy(workspace);
    const controls = await makeControls(workspace, probes, scored, seed);
    yield { kind: "advanced", ...STEP, done: 1, total, detail: "scores" };

    const validation = scored.find(({ split }) => split === "math_val")!.scores;
    const { tau, warnings: tauWarnings } = chooseTau(validation);
    const maps = fitCalibrationMaps(validation);
    const ownMaps = { ...maps, se_probe_high_se: maps.se_probe };
    const answers = {
      math: await readCommonAnswers(workspace, "math"),
      ood: await readCommonAnswers(workspace, "ood"),
    };
    const evaluations: Partial<Record<EvaluatedSplit, SplitEvaluation>> = {};
    for (const [done, { split, scores }] of scored.entries()) {
      signal?.throwIfAborted();
      evaluations[split] = evaluateSplit(scores, {
        tau,
        control: controls.shuffled.get(split) ?? null,
        constantControl: controls.constant?.evaluate(scores.incorrect) ?? null,
        // what the maps do to the rows that they were fitted on says nothing
        ...(split === "math_val" ? {} : { maps: ownMaps }),
        answers: answers[split === "ood_test" ? "ood" : "math"],
        ...settings,
      });
      yield { kind: "advanced", ...STEP, done: done + 2, total, detail: split };
    }
    const targets = [
      { kind: "risk", target: targetRisk },
      { kind: "coverage", target: targetCoverage },
    ] as const;
    const decisions = decideSplits(scored, targets, settings);
    const own = [...tauWarnings, ...warnOfMaps(maps, probes), ...warningsOfSplits(evaluations)];
    // those of the data sets and of training come first: what follows rests on them
    const warnings = withoutRepeats([...(await readEarlierWarnings(workspace)), ...own]);
    const evaluation = {
      ...assemble(evaluations, probes, threshold, scored[0]!.hidden, settings, warnings),
      calibration_maps: maps,
      decisions,
      familiarity: await evaluateFamiliarity(probes, scored),
    };
    await writeAtomic(workspace.probeEval, `${stableStringify(evaluation as unknown as Json, 2)}\n`);
    yield { kind: "advanced", ...STEP, done: total, total, detail: "thresholds" };
    for (const warning of own) yield { kind: "warning", ...STEP, warning };
    return { counts: countRows(scored), warnings };
  });
}

function chooseTau({ accuracyProbe, incorrect }: SplitScores): {
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

/** Probes without a calibration map: whoever shows their scores as probabilities should know. */
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

/** Those of the data sets and of training, which the steps before have reported. */
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
  evaluations: Readonly<Partial<Record<EvaluatedSplit, SplitEvaluation>>>,
  probes: StudyProbes,
  threshold: SeThreshold,
  hidden: HiddenStates,
  settings: ProbeEval["settings"],
  warnings: readonly ManifestWarning[],
): ProbeEval {
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
    source: hidden.metadata,
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
