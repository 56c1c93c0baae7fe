import { nameWithin } from "../store/output-ownership.ts";
import { fileExists } from "../store/read-file.ts";
import { listShortly } from "../text/shorten.ts";
import { writeConfig } from "./config-file.ts";
import { isPending, type PlannedStep, refuseForeignOutputs, type StepPlan } from "./decide-step.ts";
import { resolveSettings } from "./settings/setting.ts";
import { STUDY, type StudyOptions } from "./settings/study.ts";
import type { StepControl, StepEvent, StepResult } from "./step.ts";
import { openStages, type Stage, type StudyControl } from "./study-stages.ts";
import type { Workspace } from "./workspace.ts";

/** A whole study: the settings of `docs/cli.md`, under their names in camel case. Each has a default. */
export interface RunPipelineOptions extends StudyOptions, Omit<StudyControl, "plan" | "measures"> {
  /** The command line that asks for the run, for `artifacts/config.yaml`. */
  readonly command?: readonly string[] | undefined;
}

/**
 * All seven steps and the report, in sequence: questions, answers, entropies, hidden states, data sets,
 * probes, evaluation. Steps whose outputs are current are skipped, so a second run resumes where the first one stopped.
 * What any step would refuse is refused before the first one writes anything.
 * @returns the result of each part of each step, in order
 * @throws SepError as the steps do; the signal's reason when it is aborted between steps
 */
export async function* runPipeline(
  workspace: Workspace,
  options: RunPipelineOptions = {},
): AsyncGenerator<StepEvent, readonly StepResult[]> {
  const { force = false, signal } = options;
  const settings = resolveSettings(STUDY, options);
  await using study = yield* openStages(workspace, settings, options);
  const plan: StepPlan = { steps: [] };
  for (const stage of study.stages) yield* foresee(workspace, stage, { force, plan }, "refusals");
  await writeConfig(workspace, settings, { command: options.command, env: options.hub?.env });
  const results: StepResult[] = [];
  for (const stage of study.stages) {
    signal?.throwIfAborted();
    if (stage.announce !== undefined) yield* stage.announce();
    results.push(yield* stage.run({ force }));
    await stage.release?.();
  }
  return results;
}

/**
 * What {@link runPipeline} would do with the same options. Nothing is written into the workspace; a model may be
 * downloaded into its cache, since its files decide whether what was made with it is current.
 * @throws SepError where `runPipeline` would refuse before it writes
 */
export async function* planPipeline(
  workspace: Workspace,
  options: RunPipelineOptions = {},
): AsyncGenerator<StepEvent, readonly PlannedStep[]> {
  const { force = false, signal } = options;
  const settings = resolveSettings(STUDY, options);
  await using study = yield* openStages(workspace, settings, { ...options, measures: false });
  const plan: StepPlan = { steps: [] };
  for (const stage of study.stages) {
    signal?.throwIfAborted();
    if (stage.announce !== undefined) yield* stage.announce();
    yield* foresee(workspace, stage, { force, plan }, "all");
  }
  return plan.steps;
}

/**
 * Adds to a plan what a stage would do. A stage whose inputs do not exist yet is always run; before
 * a run, one that only ever redoes its work is asked no more than whether it would have to replace files that are
 * not its own.
 */
async function* foresee(
  workspace: Workspace,
  stage: Stage,
  control: StepControl & { readonly plan: StepPlan },
  asked: "refusals" | "all",
): AsyncGenerator<StepEvent, void> {
  const { step, part, writes, keepsWork } = stage;
  const { plan, force = false } = control;
  const pending = stage.reads.filter((path) => isPending(plan, path));
  if (keepsWork || (asked === "all" && pending.length === 0)) {
    yield* stage.run(control);
    return;
  }
  if (!force) await refuseForeignOutputs(workspace, step, writes);
  const action = (await fileExists(writes[0] as string)) ? "redo" : "make";
  const names = pending.map((path) => nameWithin(workspace, path));
  const reasons =
    action === "make" || names.length === 0
      ? []
      : [`made of ${listShortly(names, { most: MOST_NAMES })}, which will be another`];
  plan.steps.push({ step, part, action, reasons, outputs: writes });
}

const MOST_NAMES = 3;
