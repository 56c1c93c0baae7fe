import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { SERVER_OPTIONS } from "../notebook-options.ts";
import { loadNotebook, servingOf, terminalOf } from "../notebook-package.ts";
import { flag } from "../option-spec.ts";

/** The notebook in the browser. */
export const EDIT: Command = defineCommand({
  name: "edit",
  summary: "open a reactive notebook in the browser",
  options: {
    ...SERVER_OPTIONS,
    new: flag("Begin a new notebook where there is no file yet."),
    mcp: flag("Let an agent read, edit and run the notebook too, at /mcp."),
    run: flag("Run all cells at once; else nothing runs until you say so."),
    lazy: flag("Only mark what depends on a change; else it runs at once."),
  },
  examples: [
    {
      line: "sep edit notebooks/probe_training_auto.html",
      meaning: "prints an address with a token, and opens it",
    },
    {
      line: "sep edit notebooks/probe_training_auto.html --mcp --no-token",
      meaning: "with an agent, and without a token",
    },
    { line: "sep edit --new mine.html", meaning: "a new notebook" },
  ],
  async run(values, context) {
    const { new: isNew, mcp: hasAgent, run: runs, lazy: isLazy } = values;
    const options = { ...servingOf(values), isNew, hasAgent, runs, isLazy };
    await (await loadNotebook()).edit(values.notebook, options, terminalOf(context));
    return EXIT.ok;
  },
});
