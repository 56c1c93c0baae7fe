import { reportPull } from "../../backends/local/open-model.ts";
import { pullModel } from "../../checkpoint/pull-model.ts";
import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { operand } from "../option-spec.ts";
import { renderProgress } from "../render-progress.ts";
import { OUTPUT_OPTIONS } from "../step-options.ts";

const { json, quiet } = OUTPUT_OPTIONS;

/** Downloads a model into the Hugging Face cache. */
export const MODELS_PULL: Command = defineCommand({
  name: "models pull",
  summary: "download a model of the Hugging Face hub into the cache",
  options: {
    model: operand("MODEL", "Model of the hub: org/name, or org/name@revision."),
    json,
    quiet,
  },
  examples: [
    { line: "sep models pull Qwen/Qwen3-0.6B", meaning: "the newest commit; goes on where it was stopped" },
    {
      line: "sep models pull Qwen/Qwen3-0.6B@main --json",
      meaning: "one JSON line an event, the result last",
    },
  ],
  async run(values, context) {
    const { model } = values;
    const pull = reportPull(model, pullModel(model, { hub: { env: context.env }, signal: context.signal }));
    const { path, commit } = await renderProgress(pull, values, context);
    if (values.json) context.stdout.write(`${JSON.stringify({ kind: "result", model, commit, path })}\n`);
    else if (!values.quiet) context.stdout.write(`${model} ${commit}\n${path}\n`);
    return EXIT.ok;
  },
});
