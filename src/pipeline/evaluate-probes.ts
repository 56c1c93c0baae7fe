import { chooseAnswerThreshold } from "../evaluation/answer-threshold.ts";
import { DEFAULT_RESAMPLES } from "../evaluation/bootstrap-interval.ts";
import { evaluateSplit, type SplitEvaluation, type SplitScores } from "../evaluation/evaluate-split.ts";
import { DEFAULT_PERMUTATIONS } from "../evaluation/permutation-test.ts";
import { EVALUATED_SPLITS, type EvaluatedSplit, type ProbeEval } from "../evaluation/probe-eval.ts";
import {
  fitShuffledProbes,
  type ShuffledControl,
  type ShuffledProbes,
} from "../evaluation/shuffled-control.ts";
import { hasBothClasses } from "../probes/cross-validate.ts";
import type { HiddenStates } from "../probes/hidden-states.ts";
import { createMatrixMultiplier } from "../probes/matrix-multiplier.ts";
import { readProbeDataset } from "../probes/probe-dataset.ts";
import { weightsPathOf } from "../probes/probe-file.ts";
import type { SeThreshold } from "../probes/se-threshold.ts";
import { renderReport } from "../report/render-report.ts";
import { type Json, stableStringify } from "../store/json.ts";
import type { ManifestWarning } from "../store/manifest.ts";
import { readManifest } from "../store/manifest.ts";
import { writeAtomic } from "../store/write-atomic.ts";
import { fileExists } from "./file-exists.ts";
import { gatherReport } from "./gather-report.ts";
import { manifestPathOf } from "./output-ownership.ts";
import { readProbeFeatures, type ScoredSplit, type StudyProbes } from "./score-split.ts";
import { scoreStudy } from "./score-study.ts";
import { runStep, type StepEvent, type StepOutcome, type StepResult } from "./step.ts";
import { summariseProbe } from "./summarise-probe.ts";
import type { Workspace } from "./workspace.ts";

export interface EvaluateProbesOptions {
  /** Bootstrap resamples behind each interval. */
  readonly resamples?: number;
  /** Label permutations behind each p-value. */
  readonly permutations?: number;
  readonly seed?: number;
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

const STEP = { step: "eval", part: "" } as const;

/**
 * Step 7: scores the held-out questions with every probe and writes `probe_eval.json` and `report.html`. Without a
 * second question set there is no `ood_test`, and a warning says so.
 * @throws SepError `missing-input`, `bad-artefact`, `probe-mismatch`, and those of `runStep`
 */
export async function* evaluateProbes(
  workspace: Workspace,
  {
    resamples = DEFAULT_RESAMPLES,
    permutations = DEFAULT_PERMUTATIONS,
    seed = 42,
    force = false,
    signal,
  }: EvaluateProbesOptions = {},
): AsyncGenerator<StepEvent, StepResult> {
  const withOod = await fileExists(workspace.probeDataset("ood_test"));
  const splits = EVALUATED_SPLITS.filter((split) => withOod || split !== "ood_test");
  const settings = { resamples, permutations, seed };
  const definition = {
    ...STEP,
    inputs: await listInputs(workspace, withOod),
    outputs: [workspace.probeEval, workspace.report],
    settings,
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    // Scoring, then for each split its evaluation, then the report.
    const total = splits.length + 2;
    yield { kind: "started", ...STEP, unit: "part", done: 0, total };
    const { probes, threshold, splits: scored } = await scoreStudy(workspace);
    const controls = await makeControls(workspace, probes, scored, seed);
    yield { kind: "advanced", ...STEP, done: 1, total, detail: "scores" };

    const validation = scored.find(({ split }) => split === "math_val")!.scores;
    const { tau, warnings: tauWarnings } = chooseTau(validation);
    const evaluations: Partial<Record<EvaluatedSplit, SplitEvaluation>> = {};
    for (const [done, { split, scores }] of scored.entries()) {
      signal?.throwIfAborted();
      const control = controls.get(split) ?? null;
      evaluations[split] = evaluateSplit(scores, { tau, control, ...settings });
      yield { kind: "advanced", ...STEP, done: done + 2, total, detail: split };
    }
    const warnings = await gatherWarnings(workspace, evaluations, tauWarnings);
    const evaluation = assemble(evaluations, probes, threshold, scored[0]!.hidden, settings, warnings);
    await writeAtomic(workspace.probeEval, `${stableStringify(evaluation as unknown as Json, 2)}\n`);
    await writeAtomic(
      workspace.report,
      renderReport(await gatherReport(workspace, evaluation, scored, probes)),
    );
    yield { kind: "advanced", ...STEP, done: total, total, detail: "report" };
    for (const warning of warnings) yield { kind: "warning", ...STEP, warning };
    return { counts: countRows(scored), warnings };
  });
}

async function listInputs(workspace: Workspace, withOod: boolean): Promise<string[]> {
  const probes = [workspace.accuracyProbe, workspace.seProbe, workspace.entropyBaseline];
  const ood = withOod ? [workspace.probeDataset("ood_test"), workspace.hiddenStates("ood")] : [];
  const texts = (await fileExists(workspace.raw("math"))) ? [workspace.raw("math")] : [];
  return [
    ...probes,
    ...probes.map(weightsPathOf),
    workspace.seThreshold,
    workspace.probeDataset("math_train"),
    workspace.probeDataset("math_val"),
    workspace.probeDataset("math_test"),
    workspace.hiddenStates("math"),
    workspace.runs("math"),
    workspace.semanticEntropy("math"),
    ...texts,
    ...ood,
  ];
}

/**
 * The accuracy probe refitted on shuffled training labels, on every split whose rows all have its features; for
 * logistic probes only.
 */
async function makeControls(
  workspace: Workspace,
  { accuracy }: StudyProbes,
  scored: readonly ScoredSplit[],
  seed: number,
): Promise<Map<EvaluatedSplit, ShuffledControl>> {
  const controls = new Map<EvaluatedSplit, ShuffledControl>();
  if (accuracy.kind !== "logistic") return controls;
  const train = await readProbeDataset(workspace.probeDataset("math_train"));
  const { rows, features } = await readProbeFeatures(accuracy, train, scored[0]!.hidden);
  await using multiplier = await createMatrixMultiplier();
  const shuffled: ShuffledProbes | null = await fitShuffledProbes(
    multiplier,
    features,
    accuracy.width,
    Uint8Array.from(rows, (row) => 1 - train.correct[row]!),
    rows.map((row) => train.questionIds[row]!),
    { C: accuracy.C, classWeight: accuracy.class_weight, seed },
  );
  if (shuffled === null) return controls;
  for (const { split, dataset, hidden, scores } of scored) {
    const own = await readProbeFeatures(accuracy, dataset, hidden);
    const labels = Uint8Array.from(own.rows, (row) => scores.incorrect[row]!);
    const control = shuffled.evaluate(own.features, labels);
    if (control !== null) controls.set(split, control);
  }
  return controls;
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

/** The warnings of the data sets and of training come first: what follows rests on them. */
async function gatherWarnings(
  workspace: Workspace,
  evaluations: Readonly<Partial<Record<EvaluatedSplit, SplitEvaluation>>>,
  tauWarnings: readonly ManifestWarning[],
): Promise<ManifestWarning[]> {
  const earlier = await Promise.all(
    [workspace.probeDataset("math_train"), workspace.accuracyProbe].map((main) =>
      readManifest(manifestPathOf(main)),
    ),
  );
  const own = Object.entries(evaluations).flatMap(([split, evaluation]) =>
    evaluation.warnings.map(({ code, message }) => ({ code, message: `${split}: ${message}` })),
  );
  const before = earlier.flatMap((manifest) => manifest?.warnings ?? []);
  return [...before, ...tauWarnings, ...own];
}

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
