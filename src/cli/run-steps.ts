import { relative, resolve } from "node:path";
import { fileExists } from "../store/file-exists.ts";
import { requireCurrent } from "../study/chain.ts";
import type { StepPlan } from "../study/decide-step.ts";
import type { StepEvent, StepResult } from "../study/step.ts";
import {
  type DataSetName,
  openWorkspace,
  SPLIT_SOURCES,
  type StepName,
  type Workspace,
} from "../study/workspace.ts";
import type { CliContext } from "./command.ts";
import { EXIT } from "./exit.ts";
import { renderProgress } from "./render-progress.ts";

/** The values of `OUTPUT_OPTIONS`. */
export interface OutputValues {
  readonly out: string;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Work of one command: yields the steps' events, returns their results. */
export type Steps = AsyncGenerator<StepEvent, readonly StepResult[]>;

/**
 * Runs a command's steps in its workspace with the progress display that its options ask for. With `json`, the
 * results are the last line.
 * @param listedLater steps whose warnings the command prints with its result
 * @returns the results, one a part of a step
 */
export async function runSteps(
  values: OutputValues,
  context: CliContext,
  createSteps: (workspace: Workspace) => Steps,
  listedLater: readonly StepName[] = [],
): Promise<readonly StepResult[]> {
  const workspace = openWorkspace(resolve(values.out));
  const results = await renderProgress(createSteps(workspace), { ...values, listedLater }, context);
  if (values.json) context.stdout.write(`${JSON.stringify({ kind: "result", results })}\n`);
  return results;
}

/**
 * `runSteps`, and then what was done, a paragraph a result.
 * @returns the exit code
 */
export async function runStepCommand(
  values: OutputValues,
  context: CliContext,
  createSteps: (workspace: Workspace) => Steps,
): Promise<number> {
  const results = await runSteps(values, context, createSteps);
  if (!values.json && !values.quiet)
    for (const result of results) context.stdout.write(`${describeResult(result)}\n`);
  return EXIT.ok;
}

/** One step over both sets as a command's work. */
export async function* oneStep(step: AsyncGenerator<StepEvent, StepResult>): Steps {
  return [yield* step];
}

/**
 * One step a question set. With `both`, a set whose input is not there is skipped and a note says so, unless
 * it is the first set: that one's absence is the step's own error.
 * @param run with a plan, it only says what it would do
 * @param keepsWork whether the step refuses to replace its work, so that all sets are planned before the first is run
 */
export async function* eachSet(
  step: StepName,
  choice: DataSetName | "both",
  inputPath: (set: DataSetName) => string,
  run: (set: DataSetName, plan?: StepPlan) => AsyncGenerator<StepEvent, StepResult>,
  { keepsWork = false }: { readonly keepsWork?: boolean } = {},
): Steps {
  const sets: DataSetName[] = [];
  for (const set of choice === "both" ? SPLIT_SOURCES : [choice]) {
    if (choice === "both" && set === "ood" && !(await fileExists(inputPath(set)))) {
      yield { kind: "note", step, part: set, message: `skipped, there is no ${inputPath(set)}` };
      continue;
    }
    sets.push(set);
  }
  // what the second set would be refused for should not show after hours of the first
  const plan: StepPlan = { steps: [] };
  await requireCurrent(sets.map(inputPath), step);
  if (keepsWork) for (const set of sets) yield* run(set, plan);
  const results: StepResult[] = [];
  for (const set of sets) results.push(yield* run(set));
  return results;
}

function describeResult({ step, part, status, outputs, counts }: StepResult): string {
  const label = part === "" ? step : `${step} ${part}`;
  const facts = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  const files = outputs.map((path) => relative(process.cwd(), path) || path);
  const verb = status === "ran" ? "wrote" : "kept";
  return [
    `${label}: ${verb} ${files.join(", ")}`,
    ...(facts.length > 0 ? [`  ${facts.join(", ")}`] : []),
  ].join("\n");
}
