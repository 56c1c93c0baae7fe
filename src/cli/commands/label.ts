import { requirePart } from "../../backends/load-backend.ts";
import type { AnswerBackend } from "../../samples/answer-backend.ts";
import { createMeaningModels } from "../../study/meaning/meaning-models.ts";
import { openBackend } from "../../study/open-backends.ts";
import { ANSWERING_MODEL } from "../../study/settings/backends.ts";
import { LABEL_SETTINGS } from "../../study/settings/label.ts";
import { MEANING } from "../../study/settings/meaning.ts";
import type { SettingsOutput } from "../../study/settings/setting.ts";
import { labelUnits } from "../../study/steps/label-units.ts";
import type { Workspace } from "../../study/workspace.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { CONFIG, OUTPUT, SET } from "../common-settings.ts";
import { eachSet, runStepCommand, type Steps } from "../run-steps.ts";

const OPTIONS = {
  ...LABEL_SETTINGS,
  ...ANSWERING_MODEL,
  ...MEANING,
  ...SET,
  ...CONFIG,
  ...OUTPUT,
};

type Values = SettingsOutput<typeof OPTIONS>;

/** What is measured of parts of answers, for labels. */
export const LABEL: Command = defineCommand({
  name: "label",
  summary: "measure sentences or steps, so that they can be labeled, data/{math,ood}_units_*.jsonl",
  options: OPTIONS,
  examples: [
    {
      line: "sep label",
      meaning: "which sentences the other samples do not entail, after `sep trace --positions sentence-end`",
    },
    {
      line: "sep label --label clusters --branch 8 --position step-end",
      meaning: "how much eight answers disagree that are sampled from the end of each step",
    },
  ],
  run: (values, context) =>
    runStepCommand(values, context, (workspace) => labelSets(workspace, values, context)),
});

async function* labelSets(workspace: Workspace, values: Values, context: CliContext): Steps {
  if (values.label === "inconsistent") return yield* labelEach(workspace, values, context, undefined);
  const { signal, env } = context;
  await using opened = yield* openBackend(values, {
    root: workspace.root,
    hub: { env },
    signal,
    step: "generate",
  });
  return yield* labelEach(workspace, values, context, requirePart(opened, "answers"));
}

const labelEach = (
  workspace: Workspace,
  values: Values,
  { signal, env }: CliContext,
  model: AnswerBackend | undefined,
): Steps => {
  const models = createMeaningModels({ hub: { env }, threads: values.threads });
  return eachSet("label", values.set, workspace.hiddenStatesIndex, (set) =>
    labelUnits(workspace, set, { ...values, model, models, signal }),
  );
};
