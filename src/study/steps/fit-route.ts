import { relative, resolve } from "node:path";
import { SepError } from "../../errors.ts";
import { DEFAULT_RESAMPLES } from "../../evaluation/bootstrap-interval.ts";
import { type CostedRows, evaluateRoute, type RouteEvaluation } from "../../evaluation/evaluate-route.ts";
import { DEFAULT_PERMUTATIONS, FEW_QUESTIONS } from "../../evaluation/evaluate-score.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import { mean } from "../../math/vector.ts";
import { chooseRouteThreshold, type RouteThreshold } from "../../probes/choose-route-threshold.ts";
import { requireTrained } from "../../probes/parse-probe.ts";
import type { Probe } from "../../probes/probe.ts";
import { readRuns } from "../../samples/read-runs.ts";
import type { RunRecord } from "../../samples/run-record.ts";
import { runKey } from "../../samples/samples.ts";
import { hashFile } from "../../store/fingerprint.ts";
import type { ManifestWarning } from "../../store/manifest.ts";
import { fileExists } from "../../store/read-file.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { type LargeAnswers, readLargeAnswers, routeRows } from "../probes/route-rows.ts";
import { listStudyInputs, type ScoredSplit, scoreStudy } from "../probes/score-study.ts";
import { ROUTE_SETTINGS } from "../settings/route.ts";
import { SEED } from "../settings/sampling.ts";
import { resolveSettings, type SettingsInput, type SettingsOutput } from "../settings/setting.ts";
import { runStep, type StepControl, type StepEvent, type StepOutcome, type StepResult } from "../step.ts";
import { tracedAnswersPath } from "../study-answers.ts";
import type { Workspace } from "../workspace.ts";

const SETTINGS = { ...ROUTE_SETTINGS, ...SEED };

export interface FitRouteOptions extends StepControl, SettingsInput<typeof SETTINGS> {
  /** Graded answers of the large model to the study's questions: a runs file of another study, or of any tool. */
  readonly large: string;
  readonly resamples?: number;
  readonly permutations?: number;
}

/** Content of `artifacts/route.json`. */
export interface FittedRoute {
  /** Whose score decides, and what it must be of. */
  readonly probe: Pick<Probe, "target" | "position" | "source"> & {
    readonly file: string;
    /** Of its JSON file. */
    readonly sha256: string;
  };
  readonly large: { readonly file: string; readonly questions: number; readonly answers: number };
  readonly costs: { readonly small: number; readonly large: number; readonly per: "answer" | "token" };
  readonly target_risk: number;
  /** null where none keeps the target; `reason` says why. */
  readonly threshold: RouteThreshold | null;
  readonly reason: string | null;
  /** Of the validation questions, on which the threshold was chosen. */
  readonly calibration: {
    readonly question_count: number;
    readonly small_risk: number;
    readonly large_risk: number;
  };
  /** On the test questions; null without a threshold. */
  readonly test: RouteEvaluation | null;
  readonly settings: { readonly seed: number; readonly resamples: number; readonly permutations: number };
  readonly warnings: readonly ManifestWarning[];
}

const STEP = { step: "route", part: "" } as const;

/**
 * Fits a cascade: the study's model answers, and what its probe finds too risky is asked again of a large model. The
 * threshold is chosen on the validation questions, for a promised share of wrong answers, and tried on the test questions,
 * beside other ways to spend as much.
 * @throws SepError `missing-input`, `one-class` for a probe that could not be trained, `bad-option` for answers to other
 *   questions or costs that are not known; as `importRuns`; those of `runStep`
 */
export async function* fitRoute(
  workspace: Workspace,
  {
    large: largePath,
    resamples = DEFAULT_RESAMPLES,
    permutations = DEFAULT_PERMUTATIONS,
    force,
    plan,
    ...options
  }: FitRouteOptions,
): AsyncGenerator<StepEvent, StepResult> {
  const settings = resolveSettings(SETTINGS, options);
  const { by, targetRisk, seed } = settings;
  const answersPath = await tracedAnswersPath(workspace, "math");
  const inputs = await listStudyInputs(workspace, await fileExists(workspace.probeDataset("ood_test")));
  const definition = {
    ...STEP,
    inputs: [...new Set([...inputs, answersPath, resolve(largePath)])],
    outputs: [workspace.route],
    settings: { ...settings, resamples, permutations },
    whenStale: "redo" as const,
  };
  return yield* runStep(workspace, definition, { force, plan }, async function* (): AsyncGenerator<
    StepEvent,
    StepOutcome
  > {
    yield { kind: "started", ...STEP, unit: "part", done: 0, total: 2 };
    const { probes, splits } = await scoreStudy(workspace);
    const path = by === "accuracy" ? workspace.accuracyProbe : workspace.seProbe;
    const probe = requireTrained(probes[by], path);
    const { runs } = await readRuns(answersPath);
    const large = await readLargeAnswers(largePath, workspace, runs);
    yield { kind: "advanced", ...STEP, done: 1, total: 2, detail: "answers" };

    const take = (name: ScoredSplit["split"]): ReturnType<typeof takeSplit> =>
      takeSplit(splits.find(({ split }) => split === name)!, { large, runs, settings });
    const [validation, test] = [take("math_val"), take("math_test")];
    const { threshold, reason } = chooseRouteThreshold(validation.rows, targetRisk);
    const isEarly = probe.position === "before-generation";
    const evaluation =
      threshold === null
        ? null
        : evaluateRoute(threshold.threshold, test.rows, test.rivals, {
            isEarly,
            resamples,
            permutations,
            seed,
          });
    const warnings = [
      ...large.warnings,
      ...warnOfMissing(validation.missing + test.missing),
      ...warnOfFew(test.rows.questionIds),
      ...(reason === null ? [] : [{ code: "no-route", message: reason }]),
    ];
    const { target, position, source } = probe;
    const route: FittedRoute = {
      probe: {
        target,
        position,
        source,
        file: relative(workspace.root, path),
        sha256: await hashFile(path),
      },
      large: { file: largePath, questions: large.questions.size, answers: large.answers },
      costs: { small: settings.costSmall, large: settings.costLarge, per: settings.costPer },
      target_risk: targetRisk,
      threshold,
      reason,
      calibration: {
        question_count: new Set(validation.rows.questionIds).size,
        small_risk: mean(validation.rows.smallIncorrect),
        large_risk: mean(validation.rows.largeIncorrect),
      },
      test: evaluation,
      settings: { seed, resamples, permutations },
      warnings,
    };
    await writeAtomic(workspace.route, `${stableStringify(route as unknown as Json, 2)}\n`);
    yield { kind: "advanced", ...STEP, done: 2, total: 2, detail: "route" };
    for (const warning of warnings) yield { kind: "warning", ...STEP, warning };
    return {
      counts: {
        calibration_questions: route.calibration.question_count,
        test_questions: evaluation?.question_count ?? 0,
      },
      warnings,
    };
  });
}

/** The rows of a split whose question the large model has answered, and what rivals route them by. */
function takeSplit(
  { dataset, scores }: ScoredSplit,
  {
    large,
    runs,
    settings,
  }: {
    readonly large: LargeAnswers;
    readonly runs: readonly RunRecord[];
    readonly settings: SettingsOutput<typeof SETTINGS>;
  },
): { readonly rows: CostedRows; readonly missing: number } & Pick<ReturnType<typeof routeRows>, "rivals"> {
  const runOf = new Map(runs.map((run) => [runKey(run.question_id, run.run_id), run]));
  const all = Array.from(dataset.questionIds.keys());
  const kept = all.filter((row) => large.questions.has(dataset.questionIds[row]!));
  if (kept.length === 0)
    throw new SepError(
      "bad-option",
      `${large.file} answers none of the study's ${new Set(dataset.questionIds).size} held-out questions of a split. Give the large model's answers to the same questions, under the same ids.`,
    );
  const ownScores = settings.by === "accuracy" ? scores.byName.accuracy_probe : scores.byName.se_probe;
  const answers = kept.map((row) => ({
    score: ownScores[row]!,
    isIncorrect: scores.incorrect[row] === 1,
    group: dataset.questionGroups[row]!,
    large: large.questions.get(dataset.questionIds[row]!)!,
    run: runOf.get(runKey(dataset.questionIds[row]!, dataset.runIds[row]!)) ?? null,
  }));
  return { ...routeRows(answers, settings), missing: countMissing(dataset.questionIds, large) };
}

const countMissing = (questionIds: readonly string[], { questions }: LargeAnswers): number =>
  [...new Set(questionIds)].filter((id) => !questions.has(id)).length;

function warnOfMissing(missing: number): ManifestWarning[] {
  if (missing === 0) return [];
  const message = `${missing} held-out questions were left out, since the large model did not answer them. What follows is about the others only.`;
  return [{ code: "missing-answers", message }];
}

function warnOfFew(questionIds: readonly string[]): ManifestWarning[] {
  const count = new Set(questionIds).size;
  if (count >= FEW_QUESTIONS) return [];
  const message = `There are ${count} test questions: intervals and p-values are rough below ${FEW_QUESTIONS}.`;
  return [{ code: "few-questions", message }];
}
