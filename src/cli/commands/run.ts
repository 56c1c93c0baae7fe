import { relative, resolve } from "node:path";
import { TRACE_POSITIONS } from "../../states/positions.ts";
import type { PlannedStep } from "../../study/decide-step.ts";
import { planPipeline, runPipeline } from "../../study/run-pipeline.ts";
import type { RunPipelineOptions } from "../../study/study-options.ts";
import { openWorkspace } from "../../study/workspace.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { ESTIMATE_OPTIONS } from "../estimate-options.ts";
import { EXIT } from "../exit.ts";
import { MEANING_OPTIONS, readMeaningChoice } from "../meaning-options.ts";
import { readModelChoices } from "../model-values.ts";
import { flag, type OptionValues, text } from "../option-spec.ts";
import { EVALUATED_STEPS, printEvaluation } from "../print-evaluation.ts";
import { formatDuration } from "../progress-meter.ts";
import { renderProgress } from "../render-progress.ts";
import { runSteps } from "../run-steps.ts";
import { SAMPLING_OPTIONS } from "../sampling-options.ts";
import { readSamplingChoices } from "../sampling-values.ts";
import {
  FIGURE_OPTIONS,
  LIMIT_OPTION,
  MODEL_OPTIONS,
  OUTPUT_OPTIONS,
  POSITION_OPTIONS,
  QUESTION_OPTIONS,
  SEED_OPTION,
  TRACE_OPTIONS,
} from "../step-options.ts";
import { TRAINING_OPTIONS } from "../training-options.ts";
import {
  BACKEND_OPTIONS,
  noteDtype,
  readLocalDtype,
  readVllmChoice,
  SERVE_OPTIONS,
  VLLM_ANSWER_OPTIONS,
  VLLM_OPTIONS,
  VLLM_STATE_OPTIONS,
} from "../vllm-options.ts";

const OPTIONS = {
  ...QUESTION_OPTIONS,
  ...LIMIT_OPTION,
  ...MODEL_OPTIONS,
  ...BACKEND_OPTIONS,
  ...VLLM_OPTIONS,
  ...VLLM_ANSWER_OPTIONS,
  ...VLLM_STATE_OPTIONS,
  "vllm-states-url": text(
    "URL,URL",
    undefined,
    "Servers for hidden states, since those that extract them draw no answers.",
    "as --vllm-url",
  ),
  ...SERVE_OPTIONS,
  ...SAMPLING_OPTIONS,
  ...MEANING_OPTIONS,
  ...ESTIMATE_OPTIONS,
  ...TRACE_OPTIONS,
  ...POSITION_OPTIONS,
  ...TRAINING_OPTIONS,
  ...FIGURE_OPTIONS,
  ...SEED_OPTION,
  "dry-run": flag("Print what each step would do, and why, and write nothing."),
  ...OUTPUT_OPTIONS,
};

/** All steps. */
export const RUN: Command = defineCommand({
  name: "run",
  summary: "all seven steps: from questions to probes and a report",
  options: OPTIONS,
  examples: [
    { line: "sep run", meaning: "the built-in questions and the embedded model, offline" },
    {
      line: "sep run --model ./Qwen3-0.6B --runs 3 --limit 5 --out smoke-test",
      meaning: "a quick try of a checkpoint",
    },
    {
      line: "sep run --dataset my-questions.jsonl --ood none --model ./Qwen3-0.6B",
      meaning: "your questions, without a second set",
    },
  ],
  async run(values, context) {
    const startMs = context.now();
    const options = await readOptions(values, context);
    if (values["dry-run"]) {
      const planning = noteDtype(
        "generate",
        values,
        planPipeline(openWorkspace(resolve(values.out)), options),
      );
      const plan = await renderProgress(planning, values, context);
      context.stdout.write(
        values.json ? `${JSON.stringify({ kind: "plan", steps: plan })}\n` : describePlan(plan, values.out),
      );
      return EXIT.ok;
    }
    const results = await runSteps(
      values,
      context,
      (workspace) => noteDtype("generate", values, runPipeline(workspace, options)),
      EVALUATED_STEPS,
    );
    await printEvaluation(values, results, context);
    if (!values.json && !values.quiet)
      context.stdout.write(`Time    ${formatDuration(context.now() - startMs)}\n`);
    return EXIT.ok;
  },
});

async function readOptions(
  values: OptionValues<typeof OPTIONS>,
  { env, signal }: CliContext,
): Promise<RunPipelineOptions> {
  const vllm = readVllmChoice(values);
  const choices = await readSamplingChoices(values);
  return {
    dataset: values.dataset,
    ood: values.ood === "none" ? null : values.ood,
    limit: values.limit,
    model: values.model,
    hub: { env: env },
    ...readModelChoices({ ...values, dtype: vllm === null ? readLocalDtype(values.dtype) : "float32" }),
    vllm: vllm ?? undefined,
    ...choices,
    adaptive: values.adaptive,
    meaning: readMeaningChoice(values),
    estimates: values.estimates,
    seMode: values["se-mode"],
    positions: values.positions === "all" ? TRACE_POSITIONS : values.positions,
    layers: values.layers,
    answers: values.answers,
    position: values.position,
    missingPosition: values["missing-position"],
    layer: values.layer,
    seThreshold: values["se-threshold"],
    probe: values.probe,
    window: values.window,
    C: values.c,
    classWeight: values["class-weight"],
    nested: values.nested,
    probePermutations: values.permutations,
    figures: values.figures,
    seed: values.seed,
    force: values.force,
    signal,
  };
}

/** A line a step, with its reasons below. */
function describePlan(plan: readonly PlannedStep[], out: string): string {
  const width = Math.max(0, ...plan.map(({ step, part }) => `${step} ${part}`.length));
  const lines = plan.flatMap(({ step, part, action, reasons, outputs }) => [
    `${`${step} ${part}`.padEnd(width)}  ${action.padEnd("extend".length)}  ${relative(resolve(out), outputs[0] as string)}`,
    ...reasons.map((reason) => `${" ".repeat(width + 2)}        ${reason}`),
  ]);
  return `${lines.join("\n")}\n`;
}
