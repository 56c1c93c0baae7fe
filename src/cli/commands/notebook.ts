import { flag, operand, restArguments, text } from "../../study/settings/setting.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { loadNotebook, NOTEBOOK_SERVER, servingOf, terminalOf } from "../notebook-package.ts";

/** The notebook in the browser. */
export const EDIT: Command = defineCommand({
  name: "edit",
  summary: "open a reactive notebook in the browser",
  options: {
    ...NOTEBOOK_SERVER,
    new: flag("Create the notebook if the file does not exist."),
    mcp: flag("Let an agent read, edit and run the notebook over MCP, at /mcp."),
    run: flag("Run all cells when the notebook is opened; otherwise nothing runs until you ask for it."),
    lazy: flag("After a change, only mark the cells that depend on it as stale instead of running them."),
  },
  examples: [
    {
      line: "sep edit notebooks/probe_training_auto.html",
      meaning: "print an address with a token, and open it",
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

/** A notebook as a script. */
export const NOTEBOOK_RUN: Command = defineCommand({
  name: "notebook run",
  summary: "run all cells of a notebook, as a script",
  options: {
    notebook: operand("FILE", "Notebook to run."),
    json: OUTPUT.json,
    quiet: OUTPUT.quiet,
    args: restArguments("Arguments that the notebook reads as `args`: `-- --k 20` gives `{ k: 20 }`."),
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

/** A notebook for readers: inputs work, code is neither shown nor changed. */
export const NOTEBOOK_APP: Command = defineCommand({
  name: "notebook app",
  summary: "serve a notebook to readers: inputs work, code is hidden",
  options: NOTEBOOK_SERVER,
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

/** A notebook as a page to send around. */
export const NOTEBOOK_EXPORT: Command = defineCommand({
  name: "notebook export",
  summary: "write a notebook's last results as one HTML page that loads nothing",
  options: {
    notebook: operand("FILE", "Notebook to export."),
    to: text("FILE", "Where to write the page.", "FILE.export.html"),
    run: flag("Run the notebook first, as if its run buttons were pressed."),
    code: flag("Include the code of the cells, folded."),
    json: OUTPUT.json,
    args: restArguments("With --run, arguments that the notebook reads as `args`."),
  },
  examples: [
    {
      line: "sep notebook export notebooks/probe_training_auto.html",
      meaning: "the last results of `sep edit` or `sep notebook run`",
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

/** Looks for mistakes without running anything. */
export const NOTEBOOK_CHECK: Command = defineCommand({
  name: "notebook check",
  summary: "check a notebook for mistakes without running it",
  options: { notebook: operand("FILE", "Notebook to check."), json: OUTPUT.json },
  examples: [
    {
      line: "sep notebook check notebooks/analysis.html",
      meaning: "syntax errors, names defined twice or nowhere, circular dependencies",
    },
    {
      line: "sep notebook check notebooks/analysis.html --json",
      meaning: "the same for a script; exit code 1 if it finds a mistake",
    },
  ],
  async run({ notebook, json }, context) {
    const ok = await (await loadNotebook()).check(notebook, { json }, terminalOf(context));
    return ok ? EXIT.ok : EXIT.failed;
  },
});
