import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { loadNotebook, terminalOf } from "../notebook-package.ts";
import { operand } from "../option-spec.ts";
import { OUTPUT_OPTIONS } from "../step-options.ts";

/** Looks for mistakes without running anything. */
export const NOTEBOOK_CHECK: Command = defineCommand({
  name: "notebook check",
  summary: "look for mistakes in a notebook without running it",
  options: { notebook: operand("FILE", "Notebook to check."), json: OUTPUT_OPTIONS.json },
  examples: [
    {
      line: "sep notebook check notebooks/analysis.html",
      meaning: "syntax, names defined twice or nowhere, circles",
    },
    {
      line: "sep notebook check notebooks/analysis.html --json",
      meaning: "the same for a script; exit code 1 if there is something",
    },
  ],
  async run({ notebook, json }, context) {
    const ok = await (await loadNotebook()).check(notebook, { json }, terminalOf(context));
    return ok ? EXIT.ok : EXIT.failed;
  },
});
