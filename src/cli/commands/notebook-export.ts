import { writeFile } from "node:fs/promises";
import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
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
  async run(values, context) {
    const { renderExport } = await import("../../notebook/export/render-export.ts");
    const { runNotebook } = await import("../../notebook/script/run-notebook.ts");
    const { openDocument } = await import("../../notebook/session/notebook-document.ts");
    const { readResults } = await import("../../notebook/session/results-file.ts");
    const { path, notebook } = await openDocument(values.notebook);
    let ok = true;
    if (values.run) {
      const events = runNotebook(path, { args: values.args, env: context.env, signal: context.signal });
      for (let next = await events.next(); ; next = await events.next()) {
        if (!next.done) continue;
        ok = next.value.ok;
        break;
      }
    }
    const { html, stale } = await renderExport(notebook, await readResults(path), { showsCode: values.code });
    const target = values.to ?? `${values.notebook.replace(/\.html?$/i, "")}.export.html`;
    await writeFile(target, html);
    if (values.json) context.stdout.write(`${JSON.stringify({ kind: "export", ok, path: target, stale })}\n`);
    else {
      context.stdout.write(`${target}\n`);
      if (stale.length > 0)
        context.stderr.write(
          `Results of cell ${stale.join(", ")} are missing or of older code; --run makes them anew.\n`,
        );
    }
    return ok ? EXIT.ok : EXIT.failed;
  },
});
