import { runPipeline } from "../../pipeline/run-pipeline.ts";
import type { Workspace } from "../../pipeline/workspace.ts";
import { TRACE_POSITIONS } from "../../tracing/positions.ts";
import { type Command, defineCommand } from "../command.ts";
import { ESTIMATE_OPTIONS } from "../estimate-options.ts";
import { EXIT } from "../exit.ts";
import { MEANING_OPTIONS, readMeaningChoice } from "../meaning-options.ts";
import { readModelChoices } from "../model-values.ts";
import { text } from "../option-spec.ts";
import { EVALUATED_STEPS, printEvaluation } from "../print-evaluation.ts";
import { formatDuration } from "../progress-meter.ts";
import { runSteps, type Steps } from "../run-steps.ts";
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
    const vllm = readVllmChoice(values);
    const choices = await readSamplingChoices(values);
    const steps = (workspace: Workspace): Steps =>
      runPipeline(workspace, {
        dataset: values.dataset,
        ood: values.ood === "none" ? null : values.ood,
        limit: values.limit,
        model: values.model,
        hub: { env: context.env },
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
        signal: context.signal,
      });
    const results = await runSteps(values, context, steps, EVALUATED_STEPS);
    await printEvaluation(values, results, context);
    if (!values.json && !values.quiet)
      context.stdout.write(`Time    ${formatDuration(context.now() - startMs)}\n`);
    return EXIT.ok;
  },
});
