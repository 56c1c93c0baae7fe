import { resolve } from "node:path";
import { SepError } from "../../errors.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { fileExists } from "../../store/file-exists.ts";
import { type InspectedQuestion, inspectClusters } from "../../study/entropy/inspect-clusters.ts";
import { createMeaningModels } from "../../study/meaning/meaning-models.ts";
import type { StepEvent } from "../../study/step.ts";
import { openWorkspace, SPLIT_SOURCES } from "../../study/workspace.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { describeClusters } from "../describe-clusters.ts";
import { EXIT } from "../exit.ts";
import { MEANING_OPTIONS, readMeaningChoice } from "../meaning-options.ts";
import { type OptionValues, operand } from "../option-spec.ts";
import { createPaint } from "../paint.ts";
import { renderProgress } from "../render-progress.ts";
import { MODEL_OPTIONS, OUTPUT_OPTIONS, SET_OPTION } from "../step-options.ts";
import { suggestName } from "../suggest-name.ts";

const OPTIONS = {
  question: operand("QUESTION_ID", "Question whose answers to look at."),
  ...MEANING_OPTIONS,
  equivalence: {
    ...MEANING_OPTIONS.equivalence,
    help: "Group the answers by this one too, to compare with what is stored.",
    defaultText: null,
    initial: undefined,
  },
  threads: MODEL_OPTIONS.threads,
  set: SET_OPTION.set,
  out: OUTPUT_OPTIONS.out,
  json: OUTPUT_OPTIONS.json,
};

/** How one question's answers are grouped, and why. */
export const CLUSTERS: Command = defineCommand({
  name: "clusters",
  summary: "show how the answers to one question are grouped, and which pairs made it so",
  options: OPTIONS,
  examples: [
    {
      line: "sep clusters arith-0001",
      meaning: "the groups that sep entropy found, and its verdict on each pair",
    },
    {
      line: "sep clusters arith-0001 --equivalence exact --json",
      meaning: "beside groups of the same words, for a script",
    },
  ],
  async run(values, context) {
    const found = await renderProgress(
      inspect(values, context),
      { json: false, quiet: values.json },
      context,
    );
    if (values.json) {
      context.data.write(`${JSON.stringify({ kind: "clusters", questions: found })}\n`);
    } else {
      const paint = createPaint(context.data, context.env);
      const columns = Math.max(MIN_COLUMNS, Math.min(context.data.columns ?? DEFAULT_COLUMNS, MAX_COLUMNS));
      const blocks = found.map((question) => describeClusters(question, paint, columns));
      context.data.write(`${blocks.join("\n\n")}\n`);
    }
    return EXIT.ok;
  },
});

const MIN_COLUMNS = 40;
const DEFAULT_COLUMNS = 80;
const MAX_COLUMNS = 200;

/** In every set that has the question. */
async function* inspect(
  values: OptionValues<typeof OPTIONS>,
  { env, signal }: CliContext,
): AsyncGenerator<StepEvent, readonly InspectedQuestion[]> {
  const workspace = openWorkspace(resolve(values.out));
  const models = createMeaningModels({ hub: { env }, threads: values.threads });
  const { equivalence } = values;
  const choice = { ...readMeaningChoice({ ...values, equivalence: equivalence ?? "auto" }), equivalence };
  const sets: (typeof SPLIT_SOURCES)[number][] = [];
  for (const set of values.set === "both" ? SPLIT_SOURCES : [values.set])
    if (values.set !== "both" || set === "math" || (await fileExists(workspace.runs(set)))) sets.push(set);
  const found: InspectedQuestion[] = [];
  for (const set of sets) {
    const question = yield* inspectClusters(workspace, set, values.question, { ...choice, models, signal });
    if (question !== null) found.push(question);
  }
  if (found.length > 0) return found;
  const ids: string[] = [];
  for (const set of sets)
    ids.push(...(await readRuns(workspace.runs(set))).runs.map((run) => run.question_id));
  const guess = suggestName(values.question, [...new Set(ids)]);
  throw new SepError(
    "bad-option",
    `Got the question ${JSON.stringify(values.question)}, of which there are no runs with an answer to compare.${guess === null ? "" : ` Did you mean ${guess}?`} The ids are in ${sets.map((set) => workspace.runs(set)).join(" and ")}.`,
  );
}
