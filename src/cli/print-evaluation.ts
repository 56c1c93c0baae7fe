import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import type { ProbeEval } from "../evaluation/probe-eval.ts";
import { withoutRepeats } from "../store/manifest.ts";
import type { StepResult } from "../study/step.ts";
import { openWorkspace, type StepName } from "../study/workspace.ts";
import type { CliContext } from "./command.ts";
import { describeEvaluation } from "./describe-evaluation.ts";
import { createPaint } from "./paint.ts";
import type { OutputValues } from "./run-steps.ts";

/** Steps whose warnings are listed with an evaluation, since it rests on them. */
export const EVALUATED_STEPS: readonly StepName[] = ["dataset", "train", "eval"];

/**
 * Prints the evaluation that `sep eval` has just written, with all warnings of the steps behind it, and where the report
 * is. For people only: with `json` or `quiet` nothing is printed, the file has it all.
 */
export async function printEvaluation(
  values: OutputValues,
  results: readonly StepResult[],
  { stdout, env }: CliContext,
): Promise<void> {
  if (values.json || values.quiet) return;
  const { probeEval, report } = openWorkspace(resolve(values.out));
  const evaluation = JSON.parse(await readFile(probeEval, "utf8")) as ProbeEval;
  const behind = results.filter(({ step }) => EVALUATED_STEPS.includes(step));
  const warnings = withoutRepeats([...evaluation.warnings, ...behind.flatMap((result) => result.warnings)]);
  const lines = [
    "",
    describeEvaluation({ ...evaluation, warnings }, createPaint(stdout, env)),
    "",
    `Report  ${relative(process.cwd(), report)}`,
    `Data    ${relative(process.cwd(), probeEval)}`,
  ];
  stdout.write(`${lines.join("\n")}\n`);
}
