import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import type { ProbeEval } from "../evaluation/probe-eval.ts";
import type { SeedsSummary } from "../evaluation/summarise-seeds.ts";
import { withoutRepeats } from "../store/manifest.ts";
import { fileExists } from "../store/read-file.ts";
import { isCurrent, openChain, requireCurrent } from "../study/chain.ts";
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
import { describeEvaluation } from "./describe-evaluation.ts";
import { EXIT } from "./exit.ts";
import { renderProgress } from "./render-progress.ts";
import { lookOf } from "./terminal.ts";

/** Values of `OUTPUT`. */
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
 * @returns the results, one per part of a step
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
 * `runSteps`, and then what was done, a paragraph per result.
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
 * One step per question set. With `both`, a set whose input is not there is skipped and a note says so, unless
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
      yield { kind: "note", step, part: set, message: `skipped: ${inputPath(set)} does not exist` };
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
  const facts = Object.entries(counts).flatMap(([name, count]) => (count === 0 ? [] : [`${name} ${count}`]));
  const files = outputs.map((path) => relative(process.cwd(), path) || path);
  const verb = status === "ran" ? "wrote" : "kept";
  return [
    `${label}: ${verb} ${files.join(", ")}`,
    ...(facts.length > 0 ? [`  ${facts.join(", ")}`] : []),
  ].join("\n");
}

/** Steps whose warnings are listed with an evaluation, since it rests on them. */
export const EVALUATED_STEPS: readonly StepName[] = ["dataset", "train", "eval"];

/**
 * Prints the evaluation that `sep eval` has just written, with all warnings of the steps behind it, and where the report
 * is. For people only: with `json` or `quiet` nothing is printed, the file has it all.
 */
export async function printEvaluation(
  values: OutputValues,
  results: readonly StepResult[],
  context: CliContext,
): Promise<void> {
  if (values.json || values.quiet) return;
  const { stdout } = context;
  const { paint, columns } = lookOf(stdout, context);
  const { probeEval, report, seeds } = openWorkspace(resolve(values.out));
  const evaluation = JSON.parse(await readFile(probeEval, "utf8")) as ProbeEval;
  const behind = results.filter(({ step }) => EVALUATED_STEPS.includes(step));
  const warnings = withoutRepeats([...evaluation.warnings, ...behind.flatMap((result) => result.warnings)]);
  const lines = [
    "",
    describeEvaluation({ ...evaluation, warnings }, paint, { columns, seeds: await readRepetitions(seeds) }),
    "",
    `Report  ${relative(process.cwd(), report)}`,
    `Data    ${relative(process.cwd(), probeEval)}`,
  ];
  stdout.write(`${lines.join("\n")}\n`);
}

/** null where there are no repetitions, or they are of an earlier state of the study. */
async function readRepetitions(seeds: string): Promise<SeedsSummary | null> {
  if (!(await fileExists(seeds)) || !isCurrent(await openChain().inspect(seeds))) return null;
  return JSON.parse(await readFile(seeds, "utf8")) as SeedsSummary;
}
