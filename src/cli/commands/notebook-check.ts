import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { operand } from "../option-spec.ts";
import { createPaint } from "../paint.ts";
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
  async run({ notebook, json }, { stdout, env }) {
    const { checkNotebook } = await import("../../notebook/graph/check-notebook.ts");
    const { openDocument } = await import("../../notebook/session/notebook-document.ts");
    const document = await openDocument(notebook);
    const findings = checkNotebook(document.notebook);
    const cells = document.notebook.cells.length;
    if (json)
      stdout.write(`${JSON.stringify({ kind: "check", ok: findings.length === 0, cells, findings })}\n`);
    else {
      const paint = createPaint(stdout, env);
      for (const { cell, line, column, message } of findings) {
        const place = line === null ? "" : `:${line}${column === null ? "" : `:${column}`}`;
        stdout.write(`${paint("red", `cell ${cell}${place}`)}  ${message}\n`);
      }
      stdout.write(
        findings.length === 0
          ? `${cells} cells, nothing wrong.\n`
          : `${findings.length} to correct in ${cells} cells.\n`,
      );
    }
    return findings.length === 0 ? EXIT.ok : EXIT.failed;
  },
});
