import { resolve } from "node:path";
import { z } from "zod";
import { SepError } from "../../errors.ts";
import type { ComparedPair } from "../../meaning/equivalence.ts";
import { readRuns } from "../../samples/read-runs.ts";
import { fileExists } from "../../store/read-file.ts";
import { type InspectedQuestion, inspectClusters } from "../../study/entropy/inspect-clusters.ts";
import type { ClusterView } from "../../study/entropy/read-semantic-entropy.ts";
import { createMeaningModels } from "../../study/meaning/meaning-models.ts";
import { ENGINE } from "../../study/settings/backends.ts";
import { EQUIVALENCE_NAMES, MEANING } from "../../study/settings/meaning.ts";
import { operand, type SettingsOutput, setting } from "../../study/settings/setting.ts";
import type { StepEvent } from "../../study/step.ts";
import { openWorkspace, SPLIT_SOURCES } from "../../study/workspace.ts";
import { formatNumber } from "../../text/format-numbers.ts";
import { printableLine } from "../../text/shorten.ts";
import { suggestName } from "../../text/suggest-name.ts";
import { type CliContext, type Command, defineCommand } from "../command.ts";
import { OUTPUT, SET } from "../common-settings.ts";
import { EXIT } from "../exit.ts";
import { renderProgress } from "../render-progress.ts";
import { createPaint, type Paint, wrap } from "../terminal.ts";

const OPTIONS = {
  question: operand("QUESTION_ID", "Question whose clusters to show."),
  ...MEANING,
  equivalence: setting(
    z.enum(["auto", ...EQUIVALENCE_NAMES]).optional(),
    "Also cluster the answers by this rule, to compare with the stored clusters; docs/clusters.md.",
  ),
  threads: ENGINE.threads,
  ...SET,
  out: OUTPUT.out,
  json: OUTPUT.json,
};

/** How the answers to one question were clustered, and why. */
export const CLUSTERS: Command = defineCommand({
  name: "clusters",
  summary: "show how the answers to one question were clustered, pair by pair",
  options: OPTIONS,
  examples: [
    {
      line: "sep clusters arith-0001",
      meaning: "the clusters that `sep entropy` found, and its verdict on each pair",
    },
    {
      line: "sep clusters arith-0001 --equivalence exact --json",
      meaning: "compared with clusters of identical answers, as JSON",
    },
  ],
  async run(values, context) {
    const found = await renderProgress(
      inspect(values, context),
      { json: false, quiet: values.json },
      context,
    );
    if (values.json) {
      context.data.write(`${JSON.stringify({ kind: "clusters", questions: found })}\n`);
    } else {
      const paint = createPaint(context.data, context.env);
      const columns = Math.max(MIN_COLUMNS, Math.min(context.data.columns ?? DEFAULT_COLUMNS, MAX_COLUMNS));
      const blocks = found.map((question) => describeClusters(question, paint, columns));
      context.data.write(`${blocks.join("\n\n")}\n`);
    }
    return EXIT.ok;
  },
});

const MIN_COLUMNS = 40;
const DEFAULT_COLUMNS = 80;
const MAX_COLUMNS = 200;

/** In every set that has the question. */
async function* inspect(
  values: SettingsOutput<typeof OPTIONS>,
  { env, signal }: CliContext,
): AsyncGenerator<StepEvent, readonly InspectedQuestion[]> {
  const workspace = openWorkspace(resolve(values.out));
  const models = createMeaningModels({ hub: { env }, threads: values.threads });
  const sets: (typeof SPLIT_SOURCES)[number][] = [];
  for (const set of values.set === "both" ? SPLIT_SOURCES : [values.set])
    if (values.set !== "both" || set === "math" || (await fileExists(workspace.runs(set)))) sets.push(set);
  const found: InspectedQuestion[] = [];
  for (const set of sets) {
    const question = yield* inspectClusters(workspace, set, values.question, { ...values, models, signal });
    if (question !== null) found.push(question);
  }
  if (found.length > 0) return found;
  const ids: string[] = [];
  for (const set of sets)
    ids.push(...(await readRuns(workspace.runs(set))).runs.map((run) => run.question_id));
  const guess = suggestName(values.question, [...new Set(ids)]);
  throw new SepError(
    "bad-option",
    `Got the question ${JSON.stringify(values.question)}, expected a question that has answers to compare.${guess === null ? "" : ` Did you mean ${guess}?`} The question ids are in ${sets.map((set) => workspace.runs(set)).join(" and ")}.`,
  );
}

/** The clusters of a question's answers, as text for people, at most `columns` wide. */
export function describeClusters(
  { set, questionId, question, views }: InspectedQuestion,
  paint: Paint,
  columns: number,
): string {
  const title = `${set} ${printableLine(questionId)}${question === null ? "" : `: ${printableLine(question, 400)}`}`;
  return [
    ...wrap(title, columns).map((line) => paint("bold", line)),
    "",
    views.map((view) => describeView(view, paint, columns)).join("\n\n"),
  ].join("\n");
}

function describeView(view: ClusterView, paint: Paint, columns: number): string {
  const { source, equivalence, clustering, clusterIds, answers, nonTransitiveShare: share } = view;
  const count = new Set(clusterIds).size;
  const how = clustering === null ? equivalence : `${equivalence}, ${clustering}`;
  const counts = `${count} ${count === 1 ? "cluster" : "clusters"} of ${answers.length} samples`;
  const head = `${source}: ${how}: ${counts}, discrete semantic entropy ${formatNumber(view.discreteSemanticEntropy)}`;
  const order = orderTexts(view);
  const tables = [
    verdictTable(view, order, columns),
    probabilityTable("P(row entails column) in %", view, order, columns, entailmentOf),
    probabilityTable("Cosine similarity in %", view, order, columns, (pair) =>
      pair.rule === "cosine" ? pair.similarity : null,
    ),
  ];
  return [
    paint("cyan", cut(head, columns)),
    ...clusterLines(view, order, columns),
    ...tables.filter((lines) => lines.length > 0).flatMap((lines) => ["", ...lines]),
    ...(share !== null && share > 0
      ? [
          "",
          cut(
            `${percent(share)}% of the triples of answers contradict themselves: a = b, b = c, a ≠ c`,
            columns,
          ),
        ]
      : []),
  ].join("\n");
}

/** Indices of the distinct answers, cluster by cluster, so that the matrices show the clusters as blocks. */
function orderTexts({ texts, answers, clusterIds }: ClusterView): readonly number[] {
  const clusterOf = texts.map((text) => clusterIds[answers.indexOf(text)]!);
  return [...texts.keys()].sort((a, b) => clusterOf[a]! - clusterOf[b]! || a - b);
}

/** One line per distinct answer, with its number in the matrices; a cluster's id is on its first line. */
function clusterLines(
  { texts, answers, clusterIds, runIds }: ClusterView,
  order: readonly number[],
  columns: number,
): string[] {
  const rows = [...new Set(clusterIds)]
    .sort((a, b) => a - b)
    .flatMap((cluster) => {
      const members = [...clusterIds.keys()].filter((k) => clusterIds[k] === cluster);
      const own = [...order, null].flatMap((index) => {
        const text = index === null ? null : texts[index]!;
        const runs = members.filter((k) => answers[k] === text).map((k) => runIds[k]!);
        return runs.length === 0
          ? []
          : [{ text, runs, number: index === null ? "" : order.indexOf(index) + 1 }];
      });
      return own.map((row, i) => ({ ...row, cluster: i === 0 ? String(cluster) : "" }));
    });
  const lines = rows.map(({ cluster, number, runs, text }) => {
    const shown = text === null ? "(no answer)" : printableLine(text, 400);
    return `${cluster.padStart(7)}  ${String(number).padStart(2)}  ${shown}  (${runs.length === 1 ? "run" : `${runs.length} runs:`} ${runs.join(" ")})`;
  });
  return ["cluster  no  answer", ...lines].map((line) => cut(line, columns));
}

/** Which rule found a pair to be the same. */
function verdictTable(view: ClusterView, order: readonly number[], columns: number): string[] {
  if (view.pairs.length === 0) return [];
  const rules = [...new Set(view.pairs.map(({ rule }) => rule))].sort();
  const legend = `Same meaning, by ${rules.map((rule) => `${rule[0]} ${rule}`).join(", ")}; . not the same`;
  return [
    cut(legend, columns),
    ...matrix(order, columns, (i, j) => {
      if (i === j) return "=";
      const pair = findPair(view.pairs, i, j);
      if (pair === undefined) return "";
      return pair.same ? pair.rule[0]! : ".";
    }),
  ];
}

function probabilityTable(
  title: string,
  { pairs }: ClusterView,
  order: readonly number[],
  columns: number,
  read: (pair: ComparedPair, isForward: boolean) => number | null,
): string[] {
  if (!pairs.some((pair) => read(pair, true) !== null)) return [];
  return [
    cut(title, columns),
    ...matrix(order, columns, (i, j) => {
      const pair = i === j ? undefined : findPair(pairs, i, j);
      const value = pair && read(pair, i < j);
      return value == null ? "" : percent(value);
    }),
  ];
}

const entailmentOf = (pair: ComparedPair, isForward: boolean): number | null =>
  pair.rule === "nli" ? (isForward ? pair.forward : pair.backward).entailment : null;

const findPair = (pairs: readonly ComparedPair[], i: number, j: number): ComparedPair | undefined =>
  pairs.find(({ pair: [a, b] }) => a === Math.min(i, j) && b === Math.max(i, j));

/** Rows and columns by their numbers, in as many blocks of columns as needed. */
function matrix(
  order: readonly number[],
  columns: number,
  cell: (row: number, column: number) => string,
): string[] {
  const width = 4;
  const perBlock = Math.max(1, Math.floor((columns - width) / width));
  const lines: string[] = [];
  for (let start = 0; start < order.length; start += perBlock) {
    const block = order.slice(start, start + perBlock);
    const line = (head: string, cells: readonly string[]): void =>
      void lines.push(
        [head, ...cells]
          .map((text) => text.padStart(width))
          .join("")
          .trimEnd(),
      );
    line(
      "",
      block.map((_, i) => String(start + i + 1)),
    );
    for (const [i, row] of order.entries())
      line(
        String(i + 1),
        block.map((column) => cell(row, column)),
      );
  }
  return lines;
}

const percent = (share: number): string => formatNumber(100 * share, 0);

const cut = (line: string, columns: number): string =>
  line.length <= columns ? line : `${line.slice(0, columns - 1)}…`;
