import { mkdir } from "node:fs/promises";
import { basename, join, relative, resolve } from "node:path";
import { z } from "zod";
import { SepError } from "../../errors.ts";
import {
  type ComparedScore,
  compareStudies,
  type StudiesComparison,
  type StudyDifference,
} from "../../evaluation/compare-studies.ts";
import { HELD_OUT_SPLITS } from "../../evaluation/probe-eval.ts";
import { SCORE_INFO, SCORE_NAMES } from "../../evaluation/score-names.ts";
import { type Json, stableStringify } from "../../formats/json.ts";
import { describePromises, makeComparisonTables } from "../../report/comparison-tables.ts";
import { formatTable } from "../../report/table.ts";
import { writeAtomic } from "../../store/write-atomic.ts";
import { readComparedStudy, requireSameKind } from "../../study/read-compared-study.ts";
import { SEED } from "../../study/settings/sampling.ts";
import { operands, setting, text } from "../../study/settings/setting.ts";
import { formatInterval, formatNumber, formatPValue, formatSigned } from "../../text/format-numbers.ts";
import { type Command, defineCommand } from "../command.ts";
import { EXIT } from "../exit.ts";
import { type Look, layOutRow, lookOf, wrap } from "../terminal.ts";

/** Ending of each format's files; text is for people only. */
const ENDINGS = { csv: "csv", latex: "tex", markdown: "md" } as const;

/** Several finished studies in one table. */
export const COMPARE: Command = defineCommand({
  name: "compare",
  summary: "compare finished studies in one table, with paired differences where they share questions",
  options: {
    folders: operands("DIRS", "Folders of two or more finished studies."),
    scores: setting(
      z
        .union([
          z.enum(["probe", "all"]),
          z
            .array(z.enum(SCORE_NAMES as [string, ...string[]]))
            .min(1)
            .readonly(),
        ])
        .default("probe"),
      "Scores to compare, by their names in probe_eval.json, separated by commas; docs/audit.md. probe: of each study the probe that its verdict is about.",
      {
        placeholder: "probe|all|LIST",
        expected: `probe, all, or some of ${SCORE_NAMES.join(", ")} separated by commas`,
      },
    ),
    format: setting(
      z.enum(["text", "csv", "latex", "markdown", "json"]).default("text"),
      "How the comparison is printed.",
    ),
    out: text(
      "DIR",
      "Folder to write the comparison to instead of printing it: a page, and its tables in all formats but text.",
    ),
    ...SEED,
  },
  examples: [
    { line: "sep compare small large", meaning: "two models, say, asked the same questions" },
    {
      line: "sep compare cold warm hot --scores accuracy_probe,semantic_entropy",
      meaning: "two scores of studies at three temperatures",
    },
    { line: "sep compare small large --format latex", meaning: "the tables of a paper" },
  ],
  async run({ folders, scores, format, out, seed }, context) {
    if (folders.length < 2)
      throw new SepError(
        "bad-option",
        `Got ${folders.length} study, expected two or more. \`sep eval\` shows a single one.`,
      );
    const studies = [];
    for (const [i, folder] of folders.entries()) {
      context.signal.throwIfAborted();
      studies.push(await readComparedStudy(resolve(folder), nameStudy(folders, i)));
    }
    requireSameKind(studies);
    const named = scores === "all" ? SCORE_NAMES : (scores as "probe" | typeof SCORE_NAMES);
    const comparison = compareStudies(studies, { scores: named, seed });
    if (out !== undefined) {
      for (const file of await writeComparison(resolve(out), comparison))
        context.stdout.write(`Wrote ${relative(process.cwd(), file)}\n`);
      return EXIT.ok;
    }
    context.stdout.write(`${render(comparison, format, lookOf(context.stdout, context))}\n`);
    return EXIT.ok;
  },
});

/** The folder's name; the path as it was given, where another folder has the same name. */
function nameStudy(folders: readonly string[], place: number): string {
  const names = folders.map((folder) => basename(resolve(folder)));
  const own = names[place]!;
  return names.filter((name) => name === own).length === 1 ? own : folders[place]!;
}

function render(
  comparison: StudiesComparison,
  format: "text" | "csv" | "latex" | "markdown" | "json",
  look: Look,
): string {
  if (format === "text") return describeComparison(comparison, look);
  if (format === "json") return stableStringify(comparison as unknown as Json, 2);
  const tables = makeComparisonTables(comparison).filter(({ rows }) => rows.length > 0);
  return tables.map((table) => formatTable(table, ENDINGS[format]).trimEnd()).join("\n\n");
}

/** @returns paths of the files */
async function writeComparison(folder: string, comparison: StudiesComparison): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true });
  // what draws takes longer to load than many a command takes
  const { renderComparison } = await import("../../report/comparison-page.ts");
  const files = [
    ["comparison.html", renderComparison(comparison)] as const,
    ["comparison.json", `${stableStringify(comparison as unknown as Json, 2)}\n`] as const,
    ...makeComparisonTables(comparison).flatMap((table) =>
      Object.values(ENDINGS).map(
        (ending) => [`${table.name}.${ending}`, formatTable(table, ending)] as const,
      ),
    ),
  ];
  for (const [name, content] of files) await writeAtomic(join(folder, name), content);
  return files.map(([name]) => join(folder, name));
}

/** A comparison as tables for people: studies by number, with what sets them apart. */
function describeComparison(comparison: StudiesComparison, look: Look): string {
  const { paint, columns } = look;
  const { studies, differing, finds, rows, differences, notes } = comparison;
  const list = studies.flatMap(({ name, settings }, i) => {
    const told = differing.map((key) => `${key} ${settings[key]}`).join(", ");
    return wrap(`${name}${told === "" ? "" : `: ${told}`}`, columns - 5).map(
      (line, at) => `  ${(at === 0 ? String(i + 1) : "").padEnd(3)}${line}`,
    );
  });
  const title = (row: ComparedScore): string => `  ${row.study + 1}  ${SCORE_INFO[row.score].title}`;
  const same = differing.length === 0 ? ["  no recorded setting differs"] : [];
  return [
    [paint("bold", "Studies"), ...list, ...same].join("\n"),
    [
      paint("bold", `Finding ${finds}`),
      paint("gray", layOutRow(QUALITY_HEADER, QUALITY_WIDTHS, columns)),
      ...rows.map((row) => layOutRow(qualityCells(row, title(row)), QUALITY_WIDTHS, columns)),
    ].join("\n"),
    [
      paint("bold", "Using the score"),
      paint("gray", layOutRow(USE_HEADER, USE_WIDTHS, columns)),
      ...rows.map((row) => layOutRow(useCells(row, title(row)), USE_WIDTHS, columns)),
    ].join("\n"),
    [paint("bold", "Differences on shared questions"), ...describeDifferences(differences, rows, look)].join(
      "\n",
    ),
    ...notes.map((note) => wrap(note, columns).join("\n")),
  ].join("\n\n");
}

// narrow terminals leave the last columns out
const QUALITY_HEADER = ["", "test", "95% interval", "ood", "95% interval"];
const QUALITY_WIDTHS = [32, 8, 14, 8, 14];

const qualityCells = ({ splits }: ComparedScore, name: string): string[] => [
  name,
  ...HELD_OUT_SPLITS.flatMap((split) => {
    const own = splits[split];
    return own === undefined ? ["none", ""] : [formatNumber(own.auc), formatInterval(own.auc_intervals)];
  }),
];

const USE_HEADER = ["  test questions, but for ood", "AURC", "AUGRC", "ECE", "ECE ood", "promises", "ood"];
const USE_WIDTHS = [32, 7, 7, 7, 9, 9, 8];

const useCells = ({ splits }: ComparedScore, name: string): string[] => [
  name,
  formatNumber(splits.math_test?.aurc ?? null),
  formatNumber(splits.math_test?.augrc ?? null),
  formatNumber(splits.math_test?.ece ?? null),
  formatNumber(splits.ood_test?.ece ?? null),
  describePromises(splits.math_test),
  describePromises(splits.ood_test),
];

function describeDifferences(
  differences: readonly StudyDifference[],
  rows: readonly ComparedScore[],
  { paint, columns }: Look,
): string[] {
  if (differences.every(({ shared_questions }) => shared_questions === 0))
    return ["  The studies have no test question in common."];
  const scores = new Set(rows.map(({ score }) => score));
  return [
    paint("gray", layOutRow(DIFFERENCE_HEADER, DIFFERENCE_WIDTHS, columns)),
    ...differences.map(({ first, second, split, shared_questions, result, p_value_holm }) => {
      const [one, other] = [rows[first]!, rows[second]!];
      const which = scores.size > 1 && one.score === other.score ? ` ${SCORE_INFO[one.score].title}` : "";
      const pair = `  ${one.study + 1} − ${other.study + 1}${which}`.slice(0, DIFFERENCE_WIDTHS[0] - 1);
      const cells = [
        pair,
        split === "math_test" ? "test" : "ood",
        String(shared_questions),
        formatSigned(result?.auc_difference.estimate ?? null),
        formatInterval(result?.auc_difference.intervals ?? [], { signed: true }),
        formatPValue(result?.p_value ?? null, result?.permutations ?? null),
        formatPValue(p_value_holm, null),
      ];
      return layOutRow(cells, DIFFERENCE_WIDTHS, columns);
    }),
  ];
}

const DIFFERENCE_HEADER = ["", "", "shared", "AUROC", "95% interval", "p", "Holm"];
const DIFFERENCE_WIDTHS = [25, 5, 7, 8, 16, 9, 9] as const;
