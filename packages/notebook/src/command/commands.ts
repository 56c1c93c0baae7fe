import { writeFile } from "node:fs/promises";
import { renderExport } from "../script/render-export.ts";
import { runNotebook, type ScriptEvent, type ScriptResult } from "../script/run-notebook.ts";
import { findMistakes } from "../session/analyze-notebook.ts";
import { createNotebook, openDocument } from "../session/notebook-document.ts";
import { openSession } from "../session/session.ts";
import { readResults } from "../storage-folder.ts";
import type { Output } from "../wire.ts";
import type { ServingOptions, Terminal } from "./serve-session.ts";

/** Loaded when a command needs them. In functions with `await using`, the compiler leaves the `.ts` of an import. */
const loadAgents = () => import("../mcp/agent-handler.ts");
const loadServer = () => import("./serve-session.ts");
const loadTexts = () => import("../script/output-text.ts");

/** Arguments that the notebook reads as `args`. */
interface WithArguments {
  readonly args: readonly string[];
}

interface EditOptions extends ServingOptions, WithArguments {
  /** Begin a notebook if there is no file. */
  readonly isNew: boolean;
  /** Let an agent in, at /mcp. */
  readonly hasAgent: boolean;
  /** Run all cells at once. */
  readonly runs: boolean;
  /** Only mark what depends on a change. */
  readonly isLazy: boolean;
}

/** `sep edit`: the notebook in the browser, until Ctrl-C. */
export async function edit(file: string, options: EditOptions, terminal: Terminal): Promise<void> {
  const { args, isNew, hasAgent, runs, isLazy } = options;
  if (isNew) await createNotebook(file);
  await using session = await openSession(file, { args, env: terminal.env, isLazy, watches: true });
  if (runs) session.run("all");
  const agent = hasAgent ? (await loadAgents()).createAgentHandler(session) : null;
  await (await loadServer()).serveSession(
    session,
    { mode: "edit", isRunning: runs, agent },
    options,
    terminal,
  );
}

/** `sep notebook app`: for readers, whose inputs work, and who neither see nor change code. */
export async function app(
  file: string,
  options: ServingOptions & WithArguments,
  terminal: Terminal,
): Promise<void> {
  await using session = await openSession(file, { args: options.args, env: terminal.env });
  session.run("all");
  await (await loadServer()).serveSession(
    session,
    { mode: "app", isRunning: true, agent: null },
    options,
    terminal,
  );
}

interface RunOptions extends WithArguments {
  readonly json: boolean;
  readonly quiet: boolean;
}

/** `sep notebook run`: all cells, as a script. @returns whether none failed */
export async function run(
  file: string,
  { args, json, quiet }: RunOptions,
  terminal: Terminal,
): Promise<boolean> {
  const { data, stdout, env, signal } = terminal;
  const { outputText } = await loadTexts();
  const events = runNotebook(file, { args, env, signal });
  for (;;) {
    const next = await events.next();
    if (!next.done) {
      if (json) data.write(`${JSON.stringify(next.value)}\n`);
      else printEvent(next.value, outputText, quiet, terminal);
      continue;
    }
    const result = next.value;
    if (json) stdout.write(`${JSON.stringify({ kind: "result", ...result })}\n`);
    else if (!quiet || !result.ok) printResult(result, terminal);
    return result.ok;
  }
}

function printEvent(
  event: ScriptEvent,
  outputText: (output: Output) => string,
  isQuiet: boolean,
  terminal: Terminal,
): void {
  const { data, stderr, env } = terminal;
  if (event.kind === "progress") {
    const { label, done, total, detail } = event.progress;
    if (!isQuiet && stderr.isTTY)
      stderr.write(`\r${label} ${done}${total === null ? "" : `/${total}`} ${detail}\u001b[K`);
    return;
  }
  const { cell, state, outputs } = event;
  const { status, error, message, durationMs } = state;
  const paint = terminal.createPaint(stderr, env);
  if (stderr.isTTY) stderr.write("\r\u001b[K");
  if (error !== null) {
    const place = error.line === null ? "" : `, line ${error.line}`;
    stderr.write(`${paint("red", `cell ${cell}${place}`)}: ${error.message}\n`);
  } else if (!isQuiet) {
    const time = durationMs === null ? "" : ` ${terminal.formatDuration(durationMs)}`;
    stderr.write(
      `${paint("gray", `cell ${cell}: ${status}${time}${message === null ? "" : `. ${message}`}`)}\n`,
    );
  }
  // the session has taken secrets out of it, and left answers of models alone
  for (const output of outputs) data.write(`${outputText(output)}\n`);
}

function printResult({ ok, counts, failed }: ScriptResult, { stderr }: Terminal): void {
  const words = Object.entries(counts).map(([status, count]) => `${count} ${status}`);
  stderr.write(`${words.join(", ")}${ok ? "" : `. Failed: cell ${failed.join(", ")}`}\n`);
}

interface ExportOptions extends WithArguments {
  /** Where the page goes; beside the notebook by default. */
  readonly to?: string | undefined;
  /** Run the notebook first. */
  readonly runs: boolean;
  readonly showsCode: boolean;
  readonly json: boolean;
}

/** `sep notebook export`: the last results as one page. @returns whether no cell failed, where it was run first */
export async function exportPage(
  file: string,
  { args, to, runs, showsCode, json }: ExportOptions,
  { stdout, stderr, env, signal }: Terminal,
): Promise<boolean> {
  const { path, notebook } = await openDocument(file);
  let ok = true;
  if (runs) {
    const events = runNotebook(path, { args, env, signal });
    let next = await events.next();
    while (!next.done) next = await events.next();
    ok = next.value.ok;
  }
  const { html, stale } = await renderExport(notebook, await readResults(path), { showsCode });
  const target = to ?? `${file.replace(/\.html?$/i, "")}.export.html`;
  await writeFile(target, html);
  if (json) stdout.write(`${JSON.stringify({ kind: "export", ok, path: target, stale })}\n`);
  else {
    stdout.write(`${target}\n`);
    if (stale.length > 0)
      stderr.write(
        `Results of cell ${stale.join(", ")} are missing or come from older code; add --run to run it first.\n`,
      );
  }
  return ok;
}

/** `sep notebook check`: mistakes that can be seen without running. @returns whether there are none */
export async function check(
  file: string,
  { json }: { readonly json: boolean },
  { stdout, env, createPaint }: Terminal,
): Promise<boolean> {
  const { notebook } = await openDocument(file);
  const findings = findMistakes(notebook);
  const cells = notebook.cells.length;
  const ok = findings.length === 0;
  if (json) {
    stdout.write(`${JSON.stringify({ kind: "check", ok, cells, findings })}\n`);
    return ok;
  }
  const paint = createPaint(stdout, env);
  for (const { cell, line, column, message } of findings) {
    const place = line === null ? "" : `:${line}${column === null ? "" : `:${column}`}`;
    stdout.write(`${paint("red", `cell ${cell}${place}`)}  ${message}\n`);
  }
  stdout.write(
    ok ? `${cells} cells, nothing wrong.\n` : `${findings.length} to correct in ${cells} cells.\n`,
  );
  return ok;
}
