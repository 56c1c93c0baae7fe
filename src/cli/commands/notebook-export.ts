import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { loadNotebook, terminalOf } from "../notebook-package.ts";
import { flag, operand, restArguments, text } from "../option-spec.ts";
import { OUTPUT_OPTIONS } from "../step-options.ts";

/** A notebook as a page to send around. */
export const NOTEBOOK_EXPORT: Command = defineCommand({
  name: "notebook export",
  summary: "write a notebook's last results as one HTML page that loads nothing",
  options: {
    notebook: operand("FILE", "Notebook to export."),
    to: text("FILE", undefined, "Where to write the page.", "FILE.export.html"),
    run: flag("Run the notebook first, with its run buttons pressed."),
    code: flag("Show the code of the cells, folded away."),
    json: OUTPUT_OPTIONS.json,
    args: restArguments("With --run: what the notebook reads as `args`."),
  },
  examples: [
    {
      line: "sep notebook export notebooks/probe_training_auto.html",
      meaning: "what `sep edit` or `sep notebook run` last showed",
    },
    {
      line: "sep notebook export notebooks/probe_training_auto.html --run --to study.html -- --k 4",
      meaning: "run it first",
    },
  ],
  async run({ notebook, to, run: runs, code: showsCode, json, args }, context) {
    const { exportPage } = await loadNotebook();
    const ok = await exportPage(notebook, { to, runs, showsCode, json, args }, terminalOf(context));
    return ok ? EXIT.ok : EXIT.failed;
  },
});
