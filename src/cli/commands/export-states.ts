import { join, resolve } from "node:path";
import { exportStates } from "../../study/exchange/export-arrays.ts";
import { openWorkspace, SPLIT_SOURCES } from "../../study/workspace.ts";
import { ARRAY_OPTIONS } from "../array-options.ts";
import { type Command, defineCommand } from "../command.ts";
import { choice, text } from "../option-spec.ts";
import { reportExport } from "../report-export.ts";

/** Hidden states for Python. */
export const EXPORT_STATES: Command = defineCommand({
  name: "export states",
  summary: "write the hidden states of one position and layer as Python pipelines have them",
  options: {
    ...ARRAY_OPTIONS,
    set: choice(SPLIT_SOURCES, "math", "Question set."),
    to: text("FILE", undefined, "Where to.", "artifacts/export/SET_hidden_states.FORMAT"),
  },
  examples: [
    {
      line: "sep export states --position think-end",
      meaning: "question_ids, run_ids and hidden_states of the last layer",
    },
    {
      line: "sep export states --set ood --layer 20 --format safetensors",
      meaning: "layer 20, without pickles or zips",
    },
  ],
  async run({ format, position, layer, set, to, out, force, json }, context) {
    const workspace = openWorkspace(resolve(out));
    const path = to ?? join(workspace.root, "artifacts", "export", `${set}_hidden_states.${format}`);
    return reportExport([path], { force, json }, context, async () => {
      const place = position === "auto" ? undefined : position;
      const { leftOut: _none, ...file } = await exportStates(workspace, set, path, {
        format,
        position: place,
        layer,
      });
      return [file];
    });
  },
});
