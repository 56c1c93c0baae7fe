import { join, relative, resolve } from "node:path";
import { PLAIN_PROMPT_FORMATS } from "../../engine/tokenizer/prompt-format.ts";
import { SepError } from "../../errors.ts";
import type { PlannedStep } from "../../study/decide-step.ts";
import { loadProbe } from "../../study/probe-files.ts";
import { planPipeline, runPipeline } from "../../study/run-pipeline.ts";
import { flag, type SettingsOutput } from "../../study/settings/setting.ts";
import { STUDY } from "../../study/settings/study.ts";
import { openWorkspace } from "../../study/workspace.ts";
import { type Command, defineCommand } from "../command.ts";
import { CONFIG, EXAMPLE, OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { formatDuration } from "../progress-meter.ts";
import { renderProgress } from "../render-progress.ts";
import { EVALUATED_STEPS, printEvaluation, runSteps } from "../run-steps.ts";
import { createPaint, type Paint } from "../terminal.ts";

const OPTIONS = {
  ...STUDY,
  ...EXAMPLE,
  ...CONFIG,
  dryRun: flag("Print what each step would do and why, without writing anything; docs/pipeline.md."),
  ...OUTPUT,
};

type Values = SettingsOutput<typeof OPTIONS>;

/** All steps. */
export const RUN: Command = defineCommand({
  name: "run",
  summary: "run all seven steps, from questions to probes and a report",
  options: OPTIONS,
  examples: [
    { line: "sep run", meaning: "the built-in questions and the embedded model, offline" },
    {
      line: "sep run --example trivia --out trivia",
      meaning: "general knowledge of a real small model, which is downloaded once (270 MB)",
    },
    {
      line: "sep run --model ./Qwen3-0.6B --runs 3 --limit 5 --out smoke-test",
      meaning: "a quick test of a checkpoint",
    },
    {
      line: "sep run --dataset my-questions.jsonl --ood none --model ./Qwen3-0.6B",
      meaning: "your own questions, without an out-of-distribution set",
    },
    {
      line: "sep run --config artifacts/config.yaml --seed 7",
      meaning: "the settings of the previous run, with another seed",
    },
  ],
  async run(values, context, { line: command, given }) {
    const startMs = context.now();
    const { env, signal } = context;
    const options = { ...values, hub: { env }, signal, command };
    if (values.dryRun) {
      const planning = planPipeline(openWorkspace(resolve(values.out)), options);
      const plan = await renderProgress(planning, values, context);
      context.stdout.write(
        values.json ? `${JSON.stringify({ kind: "plan", steps: plan })}\n` : describePlan(plan, values.out),
      );
      return EXIT.ok;
    }
    const results = await runSteps(
      values,
      context,
      (workspace) => runPipeline(workspace, options),
      EVALUATED_STEPS,
    ).catch((error: unknown) => {
      throw given.has("example") && !given.has("model") ? explainOffline(error) : error;
    });
    await printEvaluation(values, results, context);
    if (!values.json && !values.quiet) {
      const { stdout } = context;
      stdout.write(`Time    ${formatDuration(context.now() - startMs)}\n\n`);
      stdout.write(describeNext(values, await canBeAsked(probeOf(values.out)), createPaint(stdout, env)));
    }
    return EXIT.ok;
  },
});

/** An example's model may be on this machine, where the Hub cannot be reached. */
function explainOffline(error: unknown): unknown {
  if (!(error instanceof SepError) || !["hub-unreachable", "model-not-cached"].includes(error.code))
    return error;
  return new SepError(
    error.code,
    `${error.message} Without a network, --model takes a folder or a .gguf file that you have: \`sep run --example trivia --model FILE.gguf\`.`,
    { cause: error },
  );
}

const probeOf = (out: string): string => join(out, "artifacts", "models", "accuracy_probe.json");

/** A study may have no probe, or one that could not be trained. */
const canBeAsked = (probe: string): Promise<boolean> =>
  loadProbe(probe).then(
    () => true,
    () => false,
  );

/** What can be done with a study, as commands to copy. */
function describeNext(values: Pick<Values, PromptChoice>, hasProbe: boolean, paint: Paint): string {
  const { out } = values;
  const here = out === "." ? "" : ` --out ${quote(out)}`;
  const probe = `${out === "." ? "" : ` --probe ${quote(probeOf(out))}`}${describePromptChoice(values)}`;
  const next = [
    [`sep report --open${here}`, "open the report in the browser"],
    ...(hasProbe
      ? [
          [`sep score "Your question"${probe}`, "ask the model, and read the risk of its answer"],
          [`sep serve${probe}`, "serve it over OpenAI's API, with a page to try it"],
        ]
      : []),
  ] as const;
  const lines = next.flatMap(([line, meaning]) => [
    paint("gray", `  # ${meaning}`),
    `  ${paint("cyan", line)}`,
  ]);
  return `${[paint("bold", "Next"), ...lines].join("\n")}\n`;
}

type PromptChoice = "out" | "promptFormat" | "shots";

/** The options without which a probe cannot be asked, since it records only a hash of few-shot prompts and templates. */
function describePromptChoice({ out, promptFormat, shots }: Pick<Values, PromptChoice>): string {
  if (promptFormat === "few-shot")
    return ` --prompt-format few-shot --shots ${quote(shots ?? join(out, "data", "math_raw.jsonl"))}`;
  const isPlain = PLAIN_PROMPT_FORMATS.some((name) => name === promptFormat);
  return isPlain ? "" : ` --prompt-format ${quote(promptFormat)}`;
}

/** A path as a word of a shell. */
const quote = (path: string): string =>
  /^[\w./~:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;

/** One line per step, with its reasons below. */
function describePlan(plan: readonly PlannedStep[], out: string): string {
  const width = Math.max(0, ...plan.map(({ step, part }) => `${step} ${part}`.length));
  const lines = plan.flatMap(({ step, part, action, reasons, outputs }) => [
    `${`${step} ${part}`.padEnd(width)}  ${action.padEnd("extend".length)}  ${relative(resolve(out), outputs[0] as string)}`,
    ...reasons.map((reason) => `${" ".repeat(width + 2)}        ${reason}`),
  ]);
  return `${lines.join("\n")}\n`;
}
