import { z } from "zod";
import { SepError } from "../../errors.ts";
import { createScorer, type QuestionScorer } from "../../serve/score-question.ts";
import { loadProbe } from "../../study/probe-files.ts";
import { readSystemPrompt } from "../../study/sampling/plan-generation.ts";
import { PROMPT, SAMPLER, SEED } from "../../study/settings/sampling.ts";
import { flag, redescribe, type SettingsOutput, setting, text } from "../../study/settings/setting.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { describeScore, type ScoredLine, scoreLines } from "../print-score.ts";
import { openProbedModel, PROBED_MODEL, PROBED_PROMPT, readProbedPrompt } from "../probed-model.ts";
import { renderProgress } from "../render-progress.ts";
import { lookOf, setMessage } from "../terminal.ts";

const OPTIONS = {
  question: setting(z.string().min(1).optional(), "The question to ask; for many questions, use --stdin.", {
    placeholder: "QUESTION",
    operand: "sentence",
  }),
  probe: setting(
    z.string().min(1).default("artifacts/models/accuracy_probe.json"),
    "Probe that estimates the risk, as written by `sep train`; docs/probes.md.",
    { placeholder: "FILE" },
  ),
  stdin: flag(
    'Score a stream: read one {"id"?, "question", "answer"?} per line from stdin, and write one JSON line for each to stdout, in order. If there is an answer, it is scored instead of a generated one.',
  ),
  answer: text("TEXT", "Answer to QUESTION, to be scored in place of a generated one."),
  tokens: flag(
    "Also print the risk at every token of the answer: as if the answer had the probe's token there, or, of a probe that pools tokens, as if it ended there.",
  ),
  decide: setting(
    z.enum(["risk", "coverage"]).default("risk"),
    "Which of the probe's thresholds decides: risk bounds the share of wrong answers, coverage guarantees the share of answers given.",
  ),
  unfamiliar: setting(
    z.enum(["flag", "refuse"]).default("flag"),
    "What to do with a question whose hidden state is unlike those that the probe was trained on: flag it, or refuse to answer.",
  ),
  skipAbstained: flag(
    "Do not generate answers that would be withheld; for probes that read before-generation.",
  ),
  sampling: setting(
    z.enum(["greedy", "study"]).default("greedy"),
    "How the answer is sampled. study: with the sampler of the answers that the probe was calibrated on.",
  ),
  maxNewTokens: redescribe(SAMPLER.maxNewTokens, { fallback: "the probe's" }),
  ...PROBED_PROMPT,
  systemPrompt: redescribe(PROMPT.systemPrompt, { fallback: "the probe's" }),
  noThinking: PROMPT.noThinking,
  ...PROBED_MODEL,
  ...SEED,
  json: redescribe(OUTPUT.json, { help: "Print the answer as one JSON line on stdout." }),
  quiet: OUTPUT.quiet,
};

type Values = SettingsOutput<typeof OPTIONS>;

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
      line: 'sep score "What is 17 + 25?" --answer 42 --probe observer.json',
      meaning: "what another model wrote, by an observer's probe",
    },
    {
      line: "sep score --probe shared/se_probe.json --stdin --skip-abstained",
      meaning: "a stream of questions; for those that are too risky, only the prompt is processed",
    },
  ],
  async run(values, context) {
    if ((values.question === undefined) !== values.stdin) {
      throw new SepError(
        "bad-option",
        `\`sep score\` takes a QUESTION or --stdin, got ${values.stdin ? "both" : "neither"}.`,
      );
    }
    if (values.stdin && values.answer !== undefined)
      throw new SepError("bad-option", "Got --answer with --stdin, whose lines have their own answers.");
    const probe = await loadProbe(values.probe);
    const choice = await readOptions(values, context);
    await using opened = await renderProgress(
      openProbedModel([probe], values, { isForMany: false }, context),
      { json: false, quiet: values.quiet || values.json },
      context,
    );
    const scorer = createScorer(opened.live, probe, choice);
    if (!values.quiet && !values.json)
      for (const note of scorer.notes) context.stderr.write(`${setMessage(note, context.stderr)}\n`);
    return await (values.stdin ? answerStream(scorer, values, context) : answerOne(scorer, values, context));
  },
});

async function answerOne(scorer: QuestionScorer, values: Values, context: CliContext): Promise<number> {
  const { data, signal } = context;
  const { question, answer, tokens } = values;
  const scored = await scorer.score(question as string, { answer, tokens, signal });
  if (values.json) data.write(`${JSON.stringify({ kind: "score", ...scored, notes: scorer.notes })}\n`);
  else {
    const { paint, columns } = lookOf(data, context);
    data.write(`${describeScore(scored, paint, columns)}\n`);
  }
  return EXIT.ok;
}

async function answerStream(
  scorer: QuestionScorer,
  { tokens }: Values,
  { stdin, data, stderr, signal, redactor }: CliContext,
): Promise<number> {
  let failed = 0;
  let count = 0;
  for await (const line of scoreLines(scorer, stdin, { tokens, signal, redact: redactor.message })) {
    count += 1;
    if ("error" in line) failed += 1;
    const notes = "error" in line ? {} : { notes: scorer.notes };
    data.write(`${JSON.stringify({ ...(line satisfies ScoredLine), ...notes })}\n`);
  }
  if (failed === 0) return EXIT.ok;
  stderr.write(`${failed} of ${count} lines could not be answered; their lines say why.\n`);
  return EXIT.failed;
}

async function readOptions(values: Values, context: CliContext): Promise<Parameters<typeof createScorer>[2]> {
  return {
    ...values,
    promptFormat: await readProbedPrompt(values, context),
    systemPrompt: await readSystemPrompt(values.systemPrompt),
    enableThinking: values.noThinking ? false : undefined,
  };
}
