import { resolve } from "node:path";
import { type ChainFile, inspectStudy, isCurrent, listChain, onePerStep } from "../../study/chain.ts";
import { openWorkspace } from "../../study/workspace.ts";
import { listShortly } from "../../text/shorten.ts";
import { type Command, defineCommand } from "../command.ts";
import { OUTPUT } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { lookOf, wrap } from "../terminal.ts";

const { out, json } = OUTPUT;

/** Where each file of a study comes from, and whether it still follows from what it was made from. */
export const STATUS: Command = defineCommand({
  name: "status",
  summary: "show each file of a study: when and from what it was made, and whether it is current",
  options: { out, json },
  examples: [
    { line: "sep status", meaning: "the study in this folder, as a tree" },
    { line: "sep status --out my-study --json", meaning: "the same as one line of JSON, for scripts" },
  ],
  async run(values, { stdout, env }) {
    const workspace = openWorkspace(resolve(values.out));
    const files = await inspectStudy(workspace);
    if (values.json) {
      stdout.write(`${JSON.stringify({ kind: "status", files: files.map(describeFile) })}\n`);
      return EXIT.ok;
    }
    if (files.length === 0) {
      stdout.write(`There are no files of a study in ${workspace.root}.\n`);
      return EXIT.ok;
    }
    const { paint, columns } = lookOf(stdout, { env });
    const stateWidth = Math.max(...files.map(({ state }) => state.length));
    const firsts = new Set(onePerStep(files));
    for (const { file, depth } of arrange(files)) {
      const color = isCurrent(file) ? "green" : "red";
      const indent = "  ".repeat(depth);
      // the files of one step were made together, and are stale together
      const origin = firsts.has(file) ? describeOrigin(file) : "";
      const margin = `${" ".repeat(stateWidth + 2)}${indent}  `;
      const below = (text: string): string[] =>
        wrap(text, columns - margin.length).map((line) => margin + line);
      const name = `${file.state.padEnd(stateWidth)}  ${indent}${file.name}`;
      const isInline = origin === "" || name.length + 2 + origin.length <= columns;
      stdout.write(
        `${name.replace(file.state, (state) => paint(color, state))}${isInline ? paint("gray", `  ${origin}`.trimEnd()) : ""}\n`,
      );
      if (!isInline) for (const line of below(origin)) stdout.write(`${paint("gray", line)}\n`);
      const own = file.reasons.filter((reason) => !reason.endsWith(" is stale"));
      const reasons = !firsts.has(file) ? [] : own.length > 0 ? own : file.reasons;
      for (const line of reasons.slice(0, MOST_REASONS).flatMap(below)) stdout.write(`${line}\n`);
    }
    const stale = files.filter((file) => !isCurrent(file));
    const summary =
      stale.length === 0
        ? `All ${files.length} files belong together.`
        : `${stale.length} of ${files.length} files are not current. \`sep run\` makes them again; \`sep run --dry-run\` says how.`;
    stdout.write(`${wrap(summary, columns).join("\n")}\n`);
    return EXIT.ok;
  },
});

function describeOrigin({ maker, inputs }: ChainFile): string {
  if (maker === null) return "";
  const sources = inputs.map(({ file }) => file.name);
  const origin = sources.length === 0 ? "" : ` of ${listShortly(sources, { most: MOST_SOURCES })}`;
  return `\`sep ${maker.step}\`, ${formatTime(maker.madeAt)}${origin}`;
}

const MOST_SOURCES = 3;
const MOST_REASONS = 4;

/** Local time to the minute: "2026-11-28 10:12". */
const formatTime = (date: Date): string =>
  new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16).replace("T", " ");

/** Each file below the one of its inputs that is furthest down the chain. */
function arrange(files: readonly ChainFile[]): { readonly file: ChainFile; readonly depth: number }[] {
  const ordered = listChain(files).filter((file) => files.includes(file));
  const below = new Map<ChainFile | null, ChainFile[]>();
  for (const file of ordered) {
    const parent = ordered.findLast((other) => file.inputs.some((input) => input.file === other)) ?? null;
    below.set(parent, [...(below.get(parent) ?? []), file]);
  }
  const walk = (parent: ChainFile | null, depth: number): { file: ChainFile; depth: number }[] =>
    (below.get(parent) ?? []).flatMap((file) => [{ file, depth }, ...walk(file, depth + 1)]);
  return walk(null, 0);
}

function describeFile({ name, state, reasons, maker, inputs }: ChainFile): object {
  return {
    file: name,
    state,
    reasons,
    step: maker?.step ?? null,
    made_at: maker?.madeAt.toISOString() ?? null,
    made_of: Object.fromEntries(inputs.map(({ file, fingerprint }) => [file.name, fingerprint])),
  };
}
