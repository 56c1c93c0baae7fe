import { writeFile } from "node:fs/promises";
import type { ScriptEvent, ScriptResult } from "../../notebook/script/run-notebook.ts";
import type { Output } from "../../notebook/wire.ts";
import { flag, operand, restArguments, text } from "../../study/settings/setting.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { formatDuration } from "../progress-meter.ts";
import { loadAgents, loadCreation, loadSession, NOTEBOOK_SERVER, serveSession } from "../serve-session.ts";
import { createPaint } from "../terminal.ts";

/** The notebook in the browser. */
export const EDIT: Command = defineCommand({
  name: "edit",
  summary: "open a reactive notebook in the browser",
  options: {
    ...NOTEBOOK_SERVER,
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
    const { openSession } = await loadSession();
    const agents = values.mcp ? await loadAgents() : null;
    if (values.new) await (await loadCreation()).createNotebook(values.notebook);
    await using session = await openSession(values.notebook, {
      args: values.args,
      env: context.env,
      isLazy: values.lazy,
      watches: true,
    });
    if (values.run) session.run("all");
    const agent = agents?.createAgentHandler(session) ?? null;
    await serveSession(session, "edit", values, values.run, agent, context);
    return EXIT.ok;
  },
});

const { json, quiet } = OUTPUT;

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

/** A notebook for readers: inputs work, code is neither shown nor changed. */
export const NOTEBOOK_APP: Command = defineCommand({
  name: "notebook app",
  summary: "serve a notebook for reading: inputs work, code is hidden",
  options: NOTEBOOK_SERVER,
  examples: [
    { line: "sep notebook app notebooks/probe_training_auto.html", meaning: "runs all cells first" },
    {
      line: "sep notebook app notebooks/probe_training_auto.html --port 8080 --no-open",
      meaning: "on a fixed port",
    },
  ],
  async run(values, context) {
    const { openSession } = await loadSession();
    await using session = await openSession(values.notebook, { args: values.args, env: context.env });
    session.run("all");
    await serveSession(session, "app", values, true, null, context);
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
    run: flag("Run the notebook first, with its run buttons pressed."),
    code: flag("Show the code of the cells, folded away."),
    json: OUTPUT.json,
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

/** Looks for mistakes without running anything. */
export const NOTEBOOK_CHECK: Command = defineCommand({
  name: "notebook check",
  summary: "look for mistakes in a notebook without running it",
  options: { notebook: operand("FILE", "Notebook to check."), json: OUTPUT.json },
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
