import { openModel } from "../../backends/local/open-model.ts";
import { MODEL_DTYPES } from "../../engine/language-model.ts";
import { SepError } from "../../errors.ts";
import type { Probe } from "../../probes/probe.ts";
import { loadProbe } from "../../probes/probe-file.ts";
import { createScorer, type QuestionScorer } from "../../serve/score-question.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { describeScore } from "../describe-score.ts";
import { EXIT } from "../exit.ts";
import { readModelChoices } from "../model-values.ts";
import { choice, flag, type OptionValues, optionalSentence, text } from "../option-spec.ts";
import { createPaint } from "../paint.ts";
import { renderProgress } from "../render-progress.ts";
import { SAMPLING_OPTIONS } from "../sampling-options.ts";
import { readPromptFormat, readSystemPrompt } from "../sampling-values.ts";
import { type ScoredLine, scoreLines } from "../score-lines.ts";
import { MODEL_OPTIONS, OUTPUT_OPTIONS, SEED_OPTION } from "../step-options.ts";

const { device, threads, memory } = MODEL_OPTIONS;

const OPTIONS = {
  question: optionalSentence("QUESTION", "What to ask; or many questions with --stdin."),
  probe: text(
    "FILE",
    "artifacts/models/accuracy_probe.json",
    "Probe that reads the risk, as `sep train` wrote it.",
  ),
  stdin: flag(
    'Score a stream: one {"id"?, "question", "answer"?} a line on stdin, one JSON line each on stdout, in order. A given answer is read instead of generated.',
  ),
  decide: choice(
    ["risk", "coverage"],
    "risk",
    "Which of the probe's thresholds decides: the one that bounds wrong answers, or the one that promises answers.",
  ),
  unfamiliar: choice(
    ["flag", "refuse"],
    "flag",
    "What to do with a question whose state is unlike those that the probe was trained on: say so, or abstain.",
  ),
  "skip-abstained": flag("Do not generate what is not to be answered; for probes of before-generation."),
  sampling: choice(
    ["greedy", "study"],
    "greedy",
    "How the answer is drawn; study: as those that the probe was calibrated on.",
  ),
  "max-new-tokens": { ...SAMPLING_OPTIONS["max-new-tokens"], defaultText: "the probe's" },
  "prompt-format": text(
    SAMPLING_OPTIONS["prompt-format"].placeholder,
    undefined,
    "As for `sep generate`; only where the probe's record does not have it.",
    "the probe's",
  ),
  shots: { ...SAMPLING_OPTIONS.shots, defaultText: null },
  "system-prompt": { ...SAMPLING_OPTIONS["system-prompt"], defaultText: "the probe's" },
  "no-thinking": SAMPLING_OPTIONS["no-thinking"],
  model: text(
    MODEL_OPTIONS.model.placeholder,
    undefined,
    "The same model elsewhere; its weights must be those that the probe was fitted on.",
    "the probe's",
  ),
  device,
  threads,
  memory,
  ...SEED_OPTION,
  json: flag("Print the answer as one JSON line on stdout."),
  quiet: OUTPUT_OPTIONS.quiet,
};

type Values = OptionValues<typeof OPTIONS>;

/** An answer, its risk, and whether to give it. */
export const SCORE: Command = defineCommand({
  name: "score",
  summary: "answer a question, and say how risky the answer is and whether to give it",
  options: OPTIONS,
  examples: [
    {
      line: 'sep score "What is 17 + 25?"',
      meaning: "the accuracy probe of the study in this folder, and its model",
    },
    {
      line: "sep score --probe shared/se_probe.json --stdin --skip-abstained",
      meaning:
        "a stream of questions, with or without answers; those that are too risky cost one pass over the prompt",
    },
  ],
  async run(values, context) {
    if ((values.question === undefined) !== values.stdin) {
      throw new SepError(
        "bad-option",
        `\`sep score\` takes a QUESTION or --stdin, got ${values.stdin ? "both" : "neither"}.`,
      );
    }
    const probe = await loadProbe(values.probe);
    await using model = await renderProgress(
      openProbedModel(probe, values, context),
      { json: false, quiet: values.quiet || values.json },
      context,
    );
    const scorer = createScorer(model, probe, await readOptions(values));
    if (!values.quiet && !values.json) for (const note of scorer.notes) context.stderr.write(`${note}\n`);
    return await (values.stdin ? answerStream(scorer, context) : answerOne(scorer, values, context));
  },
});

async function answerOne(scorer: QuestionScorer, values: Values, context: CliContext): Promise<number> {
  const { data, env, signal } = context;
  const scored = await scorer.score(values.question as string, { signal });
  if (values.json) data.write(`${JSON.stringify({ kind: "score", ...scored, notes: scorer.notes })}\n`);
  else {
    const columns = Math.min(data.columns ?? DEFAULT_COLUMNS, MOST_COLUMNS);
    data.write(`${describeScore(scored, createPaint(data, env), columns)}\n`);
  }
  return EXIT.ok;
}

const DEFAULT_COLUMNS = 80;
const MOST_COLUMNS = 110;

async function answerStream(
  scorer: QuestionScorer,
  { stdin, data, stderr, signal, redactor }: CliContext,
): Promise<number> {
  let failed = 0;
  let count = 0;
  for await (const line of scoreLines(scorer, stdin, { signal, redact: redactor.message })) {
    count += 1;
    if ("error" in line) failed += 1;
    const notes = "error" in line ? {} : { notes: scorer.notes };
    data.write(`${JSON.stringify({ ...(line satisfies ScoredLine), ...notes })}\n`);
  }
  if (failed === 0) return EXIT.ok;
  stderr.write(`${failed} of ${count} lines could not be answered; their lines say why.\n`);
  return EXIT.failed;
}

/** In the arithmetic that the states were traced in, since other arithmetic makes other states. */
async function* openProbedModel(
  { source }: Probe,
  values: Values,
  { env, signal }: CliContext,
): ReturnType<typeof openModel> {
  const reference = values.model ?? nameModel(source);
  if (reference === undefined)
    throw new SepError(
      "bad-option",
      "The probe does not say which model it was fitted on. Name it with --model.",
    );
  const dtype = MODEL_DTYPES.find((name) => name === source.dtype) ?? "float32";
  const choices = readModelChoices({ ...values, dtype });
  return yield* openModel(reference, { ...choices, hub: { env }, signal });
}

function nameModel({ model, model_revision: revision }: Probe["source"]): string | undefined {
  return model === undefined || revision === undefined || model.includes("@")
    ? model
    : `${model}@${revision}`;
}

async function readOptions(values: Values): Promise<Parameters<typeof createScorer>[2]> {
  const { "prompt-format": name, shots } = values;
  const promptFormat = name === undefined ? undefined : await readPromptFormat(name, shots);
  if (promptFormat === "few-shot")
    throw new SepError(
      "bad-option",
      "Got --prompt-format few-shot without --shots, expected the file of the shots.",
    );
  if (shots !== undefined && name === undefined)
    throw new SepError("bad-option", "Got --shots without --prompt-format few-shot.");
  return {
    decide: values.decide,
    unfamiliar: values.unfamiliar,
    skipAbstained: values["skip-abstained"],
    sampling: values.sampling,
    maxNewTokens: values["max-new-tokens"],
    promptFormat,
    systemPrompt: await readSystemPrompt(values["system-prompt"]),
    enableThinking: values["no-thinking"] ? false : undefined,
    seed: values.seed,
  };
}
