import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import type { ProbeEval } from "../evaluation/probe-eval.ts";
import { openWorkspace } from "../pipeline/workspace.ts";
import type { CliContext } from "./command.ts";
import { describeEvaluation } from "./describe-evaluation.ts";
import { createPaint } from "./paint.ts";
import type { OutputValues } from "./run-steps.ts";

/**
 * Prints the evaluation that `sep eval` has just written, and where the report is. For people only: with
 * `json` or `quiet` nothing is printed, the file has it all.
 */
export async function printEvaluation(values: OutputValues, { stdout, env }: CliContext): Promise<void> {
  if (values.json || values.quiet) return;
  const { probeEval, report } = openWorkspace(resolve(values.out));
  const evaluation = JSON.parse(await readFile(probeEval, "utf8")) as ProbeEval;
  const lines = [
    "",
    describeEvaluation(evaluation, createPaint(stdout, env)),
    "",
    `Report  ${relative(process.cwd(), report)}`,
    `Data    ${relative(process.cwd(), probeEval)}`,
  ];
  stdout.write(`${lines.join("\n")}\n`);
}
