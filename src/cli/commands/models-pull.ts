import { SepError } from "../../errors.ts";
import { openHub } from "../../models/hub/hub.ts";
import { type HubModelId, parseHubModelId } from "../../models/hub/hub-model-id.ts";
import { pullModel } from "../../models/hub/pull-model.ts";
import { reportPull } from "../../pipeline/open-model.ts";
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
    const id = readId(values.model);
    const hub = await openHub({ env: context.env });
    if (hub.settings.offline) {
      throw new SepError(
        "model-not-cached",
        "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE forbids asking the hub. Unset it to pull a model.",
      );
    }
    const { signal } = context;
    const pull = reportPull(values.model, pullModel(hub, id, { signal }));
    const { commit, folder } = await renderProgress(pull, values, context);
    if (values.json) {
      context.stdout.write(`${JSON.stringify({ kind: "result", ...id, commit, folder })}\n`);
    } else if (!values.quiet) {
      context.stdout.write(`${id.repo} ${commit}\n${folder}\n`);
    }
    return EXIT.ok;
  },
});

function readId(text: string): HubModelId {
  const id = parseHubModelId(text);
  if (id !== null) return id;
  throw new SepError(
    "bad-option",
    `Got "${text}", expected a model of the hub as "org/name" or "org/name@revision".`,
  );
}
