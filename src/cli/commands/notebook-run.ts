import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { loadNotebook, terminalOf } from "../notebook-package.ts";
import { operand, restArguments } from "../option-spec.ts";
import { OUTPUT_OPTIONS } from "../step-options.ts";

const { json, quiet } = OUTPUT_OPTIONS;

/** A notebook as a script. */
export const NOTEBOOK_RUN: Command = defineCommand({
  name: "notebook run",
  summary: "run all cells of a notebook, as a script",
  options: {
    notebook: operand("FILE", "Notebook to run."),
    json,
    quiet,
    args: restArguments("What the notebook reads as `args`: `-- --k 20` gives `{ k: 20 }`."),
  },
  examples: [
    { line: "sep notebook run notebooks/probe_training_auto.html", meaning: "run buttons count as pressed" },
    {
      line: "sep notebook run notebooks/probe_training_auto.html -- --k 4 --questions 10",
      meaning: "with arguments",
    },
    {
      line: "sep notebook run notebooks/probe_training_auto.html --json",
      meaning: "one JSON line per event; exit code 1 if a cell failed",
    },
  ],
  async run({ notebook, json: asJson, quiet: isQuiet, args }, context) {
    const options = { args, json: asJson, quiet: isQuiet };
    const ok = await (await loadNotebook()).run(notebook, options, terminalOf(context));
    return ok ? EXIT.ok : EXIT.failed;
  },
});
