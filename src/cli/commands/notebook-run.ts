import type { ScriptEvent, ScriptResult } from "../../notebook/script/run-notebook.ts";
import type { Output } from "../../notebook/wire.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { operand, restArguments } from "../option-spec.ts";
import { createPaint } from "../paint.ts";
import { formatDuration } from "../progress-meter.ts";
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
      meaning: "one JSON line an event; exit code 1 if a cell failed",
    },
  ],
  async run(values, context) {
    const { runNotebook } = await import("../../notebook/script/run-notebook.ts");
    const { outputText } = await import("../../notebook/script/output-text.ts");
    const events = runNotebook(values.notebook, {
      args: values.args,
      env: context.env,
      signal: context.signal,
    });
    for (;;) {
      const next = await events.next();
      if (next.done) return finish(next.value, values, context);
      if (values.json) context.data.write(`${JSON.stringify(next.value)}\n`);
      else showEvent(next.value, outputText, values.quiet, context);
    }
  },
});

function showEvent(
  event: ScriptEvent,
  outputText: (output: Output) => string,
  isQuiet: boolean,
  { data, stderr, env }: CliContext,
): void {
  const paint = createPaint(stderr, env);
  if (event.kind === "progress") {
    const { label, done, total, detail } = event.progress;
    if (!isQuiet && stderr.isTTY)
      stderr.write(`\r${label} ${done}${total === null ? "" : `/${total}`} ${detail}\u001b[K`);
    return;
  }
  const { cell, state, outputs } = event;
  if (stderr.isTTY) stderr.write("\r\u001b[K");
  if (state.error !== null) {
    const place = state.error.line === null ? "" : `, line ${state.error.line}`;
    stderr.write(`${paint("red", `cell ${cell}${place}`)}: ${state.error.message}\n`);
  } else if (!isQuiet) {
    const time = state.durationMs === null ? "" : ` ${formatDuration(state.durationMs)}`;
    stderr.write(
      `${paint("gray", `cell ${cell}: ${state.status}${time}${state.message === null ? "" : `. ${state.message}`}`)}\n`,
    );
  }
  // the session has taken secrets out of it, and left answers of models alone
  for (const output of outputs) data.write(`${outputText(output)}\n`);
}

function finish(
  result: ScriptResult,
  { json: isJson, quiet: isQuiet }: { readonly json: boolean; readonly quiet: boolean },
  context: CliContext,
): number {
  if (isJson) context.stdout.write(`${JSON.stringify({ kind: "result", ...result })}\n`);
  else if (!isQuiet || !result.ok) {
    const counts = Object.entries(result.counts).map(([status, count]) => `${count} ${status}`);
    context.stderr.write(
      `${counts.join(", ")}${result.ok ? "" : `. Failed: cell ${result.failed.join(", ")}`}\n`,
    );
  }
  return result.ok ? EXIT.ok : EXIT.failed;
}
