import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { SERVER_OPTIONS } from "../notebook-options.ts";
import { loadNotebook, servingOf, terminalOf } from "../notebook-package.ts";

/** A notebook for readers: inputs work, code is neither shown nor changed. */
export const NOTEBOOK_APP: Command = defineCommand({
  name: "notebook app",
  summary: "serve a notebook for reading: inputs work, code is hidden",
  options: SERVER_OPTIONS,
  examples: [
    { line: "sep notebook app notebooks/probe_training_auto.html", meaning: "runs all cells first" },
    {
      line: "sep notebook app notebooks/probe_training_auto.html --port 8080 --no-open",
      meaning: "on a fixed port",
    },
  ],
  async run(values, context) {
    await (await loadNotebook()).app(values.notebook, servingOf(values), terminalOf(context));
    return EXIT.ok;
  },
});
