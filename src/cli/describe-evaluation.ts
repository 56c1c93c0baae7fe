import { nameObserver } from "../engine/observation.ts";
import type { Audit } from "../evaluation/audit.ts";
import type { AuditCheck } from "../evaluation/checks.ts";
import type { ConsistentlyWrong } from "../evaluation/consistently-wrong.ts";
import type { DecisionEvaluation } from "../evaluation/evaluate-decision.ts";
import type { ScoreEvaluation } from "../evaluation/evaluate-score.ts";
import type { SplitEvaluation } from "../evaluation/evaluate-split.ts";
import { EVALUATED_SPLITS, type EvaluatedSplit, type ProbeEval } from "../evaluation/probe-eval.ts";
import { type RowWords, wordsOfRows } from "../evaluation/row-words.ts";
import { SCORE_INFO, SCORE_NAMES, type ScoreName, STUDY_SCORE_NAMES } from "../evaluation/score-names.ts";
import type { SeedsSummary } from "../evaluation/summarise-seeds.ts";
import {
  formatInterval,
  formatNumber,
  formatOfHundred,
  formatPEquation,
  formatPercent,
  formatPValue,
  formatSigned,
  formatSignificant,
} from "../text/format-numbers.ts";
import { describeSeeds } from "./describe-seeds.ts";
import {
  describeWarnings,
  type Look,
  layOutRow,
  type Paint,
  type Style,
  USUAL_COLUMNS,
  wrap,
} from "./terminal.ts";

/**
 * An evaluation as a table for people: one block per split with each score's AUROC, 95% interval, p-value and
 * counts, then the warnings. All of it fits into `columns`, from 60 on: tables leave out or stack what has no room.
 */
export function describeEvaluation(
  evaluation: ProbeEval,
  paint: Paint,
  { columns = USUAL_COLUMNS, seeds = null }: DescribeEvaluationOptions = {},
): string {
  const words = wordsOfRows(evaluation.units);
  const blocks = EVALUATED_SPLITS.flatMap((split) => {
    const result = evaluation[split];
    return result === undefined ? [] : [describeSplit(split, result, words, { paint, columns })];
  });
  const { method, threshold } = evaluation.se_threshold;
  return [
    ...blocks,
    ...(blocks.some((block) => block.includes("≤"))
      ? [`≤ marks the smallest p-value that ${evaluation.settings.permutations} permutations can give.`]
      : []),
    ...explainAuroc(evaluation, words).map((text) => wrap(text, columns).join("\n")),
    ...[nameObserver(evaluation.source)].flatMap((line) => (line === null ? [] : [`Observer: ${line}.`])),
    wrap(
      `Semantic entropy above ${formatNumber(threshold)} nats (${method}) counts as high.${describeProbes(evaluation)}`,
      columns,
    ).join("\n"),
    ...describeDecisions(shownDecisions(evaluation), { paint, columns }),
    ...describeFamiliarity(evaluation, { paint, columns }),
    ...(seeds === null ? [] : [describeSeeds(seeds, { paint, columns })]),
    ...describeWarnings(warningsBesideChecks(evaluation), paint, columns),
    describeAudit(evaluation.audit, { paint, columns }),
  ].join("\n\n");
}

interface DescribeEvaluationOptions {
  readonly columns?: number;
  /** Repetitions with other seeds, if there are any. */
  readonly seeds?: SeedsSummary | null;
}

/** What the number of the first row means; nothing where there is none. */
function explainAuroc({ math_test: test }: ProbeEval, words: RowWords): string[] {
  const auc = test?.scores.accuracy_probe.auc ?? null;
  if (auc === null) return [];
  const found = formatNumber(auc, 2);
  return [
    `AUROC ${found}: of 100 pairs of ${words.pair} on test questions, the accuracy probe gives the first the higher score in ${formatOfHundred(auc)}; tossing a coin would in 50.`,
  ];
}

function describeSplit(
  split: EvaluatedSplit,
  evaluation: SplitEvaluation,
  words: RowWords,
  { paint, columns }: Look,
): string {
  const { counts, scores } = evaluation;
  const { rows, questions, incorrect, high_semantic_entropy: high } = counts;
  const facts = `${TITLES[split]}: ${rows} ${words.rows} ${words.to} ${questions} questions, ${percent(incorrect, rows)} ${words.wrongly}, ${percent(high, rows)} of high semantic entropy`;
  const title = `${paint("bold", split)}  ${wrap(facts, columns - split.length - 2).join("\n  ")}`;
  const table = SCORE_NAMES.filter((key) => scores[key].row_count > 0).map((key) =>
    cellsOf(nameOf(key), scores[key]),
  );
  table.push(cellsOf("SE probe: finds high entropy?", scores.se_probe_high_se));
  const layOut = (cells: readonly string[]): string => layOutRow(cells, SCORE_WIDTHS, columns);
  if (incorrect === 0 || incorrect === rows)
    return `${title}\n  No score has an AUROC: there are no ${incorrect === 0 ? words.wrong : words.right}.`;
  return [
    title,
    paint("gray", layOut([`  finds ${words.wrong}?`, ...SCORE_HEADER])),
    ...table.map(layOut),
    ...describeFindings(evaluation, words, columns),
  ].join("\n");
}

/** In the order in which narrow terminals leave them out, from the last on. */
const SCORE_HEADER = ["AUROC", "95% interval", "p", "positives"];
const NAME_WIDTH = 36;
const SCORE_WIDTHS = [NAME_WIDTH, 6, 14, 9, 12];

const cellsOf = (name: string, score: ScoreEvaluation): string[] => [
  `  ${name}`,
  formatNumber(score.auc),
  formatInterval(score.auc_intervals),
  formatPValue(score.permutation?.p_value ?? null, score.permutation?.permutations ?? null),
  `${score.positive_count}/${score.row_count}`,
];

function describeProbes({ probes }: ProbeEval): string {
  const parts = PROBES.flatMap(([key, name]) => {
    const probe = probes[key];
    return probe === null ? [] : [`the ${name} layer ${probe.layer} at ${probe.position}`];
  });
  return parts.length === 0 ? "" : ` Hidden states read: ${parts.join(", ")}.`;
}

/** Empty where no probe can tell. */
function describeFamiliarity({ familiarity }: ProbeEval, { paint, columns }: Look): string[] {
  const rows = PROBES.flatMap(([key, name]) => {
    const found = familiarity?.[key];
    if (found == null) return [];
    const shares = EVALUATED_SPLITS.flatMap((split) => {
      const own = found.splits[split];
      if (own === undefined) return [];
      return [
        `${percent(own.unfamiliar_count, own.question_count)} of ${own.question_count} ${TITLES[split]}`,
      ];
    });
    const margin = " ".repeat(PROBE_WIDTH);
    const lines = wrap(shares.join(", "), columns - PROBE_WIDTH).join(`\n${margin}`);
    return [`    ${name}`.padEnd(PROBE_WIDTH) + lines];
  });
  if (rows.length === 0) return [];
  const { level } = (familiarity?.accuracy_probe ?? familiarity?.se_probe)!;
  const meaning = `States unlike those of the training questions (p ≤ ${level})`;
  return [[paint("bold", "Unfamiliar questions"), ...indent(meaning, columns), ...rows].join("\n")];
}

/** Those of the checks are said by the checks. */
const warningsBesideChecks = ({ warnings }: ProbeEval): ProbeEval["warnings"] =>
  warnings.filter(({ code }) => !code.startsWith("check-"));

const percent = (part: number, whole: number): string => formatPercent(whole === 0 ? 0 : part / whole);

/** A text's lines, below a heading. */
const indent = (text: string, columns: number, margin = "  "): string[] =>
  wrap(text, Math.min(columns, WIDEST_TEXT) - margin.length).map((line) => `${margin}${line}`);

const sum = (widths: readonly number[]): number => widths.reduce((total, width) => total + width, 0);

const TITLES: Readonly<Record<EvaluatedSplit, string>> = {
  math_val: "validation",
  math_test: "test",
  ood_test: "out of distribution",
};

/** Of the names of probes alone. */
const PROBE_WIDTH = 24;

/** Those that read hidden states. */
const PROBES = [
  ["accuracy_probe", "accuracy probe"],
  ["se_probe", "SE probe"],
] as const;

/** As in tables of the report, within a line. */
function nameOf(score: ScoreName): string {
  const { title } = SCORE_INFO[score];
  return /^[A-Z][a-z]/.test(title) ? `${title[0]!.toLowerCase()}${title.slice(1)}` : title;
}

/** Whether a score belongs to every study, also where no row has it. */
const isExpected = (score: ScoreName): boolean => (STUDY_SCORE_NAMES as readonly ScoreName[]).includes(score);

/** Of the probes, of what they predict, and of the strongest rival; the file has them all. */
const shownDecisions = ({ decisions = [], audit }: ProbeEval): Decision[] =>
  decisions.filter(({ score }) => isExpected(score as ScoreName) || score === audit.rival);

const SIGNS: Readonly<Record<AuditCheck["status"], readonly [sign: string, style: Style]>> = {
  good: ["✓", "green"],
  unsure: ["!", "yellow"],
  bad: ["✗", "red"],
  unknown: ["–", "gray"],
};

/** What the report begins with. */
function describeAudit({ verdict, checks }: Audit, { paint, columns }: Look): string {
  const width = Math.min(columns, WIDEST_TEXT) - 2;
  const [headline = "", ...rest] = verdict;
  return [
    paint("bold", "Checks"),
    ...checks.flatMap(({ status, question, finding }) => {
      const [sign, style] = SIGNS[status];
      return `  ${paint(style, sign)} ${wrap(`${question} ${finding}`, width - 2).join("\n    ")}`;
    }),
    "",
    paint("bold", "Verdict"),
    ...wrap(headline, width).map((line) => `  ${paint("bold", line)}`),
    ...rest.flatMap((sentence) => indent(sentence, columns)),
  ].join("\n");
}

type Decision = DecisionEvaluation<EvaluatedSplit>;

/**
 * The thresholds as a table: what they guarantee, and what they achieve on questions that they were not chosen on. Empty
 * without any.
 */
function describeDecisions(decisions: readonly Decision[], look: Look): string[] {
  if (decisions.length === 0) return [];
  const groups = groupByTarget(decisions);
  return [
    [look.paint("bold", "When to answer"), ...groups.flatMap((group) => describeTarget(group, look))].join(
      "\n",
    ),
  ];
}

function groupByTarget(decisions: readonly Decision[]): Decision[][] {
  const groups = new Map<string, Decision[]>();
  for (const decision of decisions)
    groups.set(decision.kind, [...(groups.get(decision.kind) ?? []), decision]);
  return [...groups.values()];
}

function describeTarget(group: readonly Decision[], { paint, columns }: Look): string[] {
  const { kind, target } = group[0]!;
  const title =
    kind === "risk"
      ? `  At most ${formatPercent(target, 1)} of all answers given and wrong`
      : `  At least ${formatPercent(target, 1)} of all answers given`;
  const guarantee = group.find(({ threshold }) => threshold !== null)?.threshold?.guarantee;
  const onOthers = group.some(({ achieved }) => achieved.ood_test !== undefined)
    ? " Nothing is guaranteed on out-of-distribution questions."
    : "";
  const reasons = new Set(group.map(({ threshold, reason }) => (threshold === null ? reason : null)));
  const [reason] = reasons;
  if (reasons.size === 1 && reason != null)
    return [title, ...indent(`No threshold. ${reason}`, columns, BELOW_TITLE)];
  // where names and figures have no room side by side, the figures are below the name
  const nameWidth = columns < NAME_WIDTH + sum(DECISION_WIDTHS) ? 0 : NAME_WIDTH;
  return [
    title,
    paint("gray", layOutRow(["", ...DECISION_HEADER], [nameWidth, ...DECISION_WIDTHS], columns)),
    ...group.flatMap((decision) => describeDecision(decision, nameWidth, columns)),
    ...explainDecision(group).flatMap((text) => indent(text, columns, BELOW_TITLE)),
    ...(guarantee === undefined
      ? []
      : indent(`${guarantee}${onOthers}`, columns, BELOW_TITLE).map((line) => paint("gray", line))),
  ];
}

const BELOW_TITLE = "    ";

/** The first threshold that holds, in words. */
function explainDecision(group: readonly Decision[]): string[] {
  const decision = group.find(({ threshold }) => threshold !== null);
  const own = decision?.achieved.math_test;
  if (decision === undefined || own === undefined) return [];
  const { coverage, risk } = own;
  if (coverage.estimate === null || risk.estimate === null) return [];
  return [
    `By the ${nameOf(decision.score as ScoreName)}, of 100 test answers ${formatOfHundred(coverage.estimate)} are given, and ${formatOfHundred(risk.estimate)} of the 100 are given and wrong.`,
  ];
}

/** @param nameWidth 0 where the name has a line of its own */
function describeDecision(
  { score, threshold, reason, achieved }: Decision,
  nameWidth: number,
  columns: number,
): string[] {
  const name = `${BELOW_TITLE}${nameOf(score as ScoreName)}`;
  const margin = " ".repeat(nameWidth === 0 ? BELOW_TITLE.length + 2 : nameWidth + 2);
  const rows =
    threshold === null
      ? indent(`none: ${reason}`, columns, margin)
      : SPLITS.flatMap(([split, title], i) => {
          const own = achieved[split];
          if (own === undefined) return [];
          const cells = [
            i === 0 ? formatSignificant(threshold.threshold) : "",
            title,
            formatPercent(own.coverage.estimate, 1),
            formatPercent(own.risk.estimate, 1),
            formatPercent(own.error_when_answering, 1),
          ];
          return [layOutRow(["", ...cells], [nameWidth, ...DECISION_WIDTHS], columns)];
        });
  if (nameWidth === 0) return [name, ...rows];
  return rows.map((row, i) => (i === 0 ? name.padEnd(nameWidth) + row.slice(nameWidth) : row));
}

const DECISION_HEADER = ["score ≤", "split", "given", "and wrong", "error"];
const DECISION_WIDTHS = [9, 6, 8, 11, 10];

const SPLITS = [
  ["math_test", "test"],
  ["ood_test", "ood"],
] as const satisfies readonly (readonly [EvaluatedSplit, string])[];

/** Questions that are listed; the file has them all. */
const SHOWN_QUESTIONS = 5;
const SHOWN_ANSWER_LENGTH = 24;
/** Longer lines are hard to read. */
const WIDEST_TEXT = 80;

/**
 * The lines below a split's table: the two probes compared, their calibration, and what semantic entropy cannot see.
 * Each is left out where there is nothing to say.
 */
function describeFindings(split: SplitEvaluation, words: RowWords, columns: number): string[] {
  return [
    ...describeComparison(split),
    ...describeCalibration(split),
    ...describeBlindSpot(split.consistently_wrong, words),
  ].flatMap(([margin, text]) => {
    const [first = "", ...others] = wrap(text, Math.min(columns, WIDEST_TEXT) - margin.length - 2);
    return [`${margin}${first}`, ...others.map((line) => `${margin}  ${line}`)];
  });
}

/** A line below a table, that may have to be broken. */
type Finding = readonly [margin: string, text: string];

function describeComparison({ paired_comparisons: comparisons }: SplitEvaluation): Finding[] {
  const found = comparisons.find(({ first, second }) => first === "se_probe" && second === "accuracy_probe");
  if (found === undefined) return [];
  const { estimate, intervals } = found.auc_difference;
  const range = intervals.length === 0 ? "" : `, ${formatInterval(intervals, { decimals: 3, signed: true })}`;
  const p =
    found.p_value === null
      ? ""
      : `; ${formatPEquation(found.p_value, found.permutations)}, after Holm for ${comparisons.filter(({ first }) => first === "se_probe").length} pairs ${formatPEquation(found.p_value_holm, null)}`;
  return [["  ", `SE probe minus accuracy probe: ${formatSigned(estimate)}${range}${p}`]];
}

function describeCalibration({ calibration }: SplitEvaluation): Finding[] {
  const { accuracy_probe: own } = calibration;
  if (own === null) return [];
  const after = (["platt", "isotonic"] as const).flatMap((method) => {
    const quality = own[method];
    return quality === null ? [] : [`${method} ${formatNumber(quality.ece)}`];
  });
  return [
    ["  ", `Accuracy probe's calibration error: ${[formatNumber(own.ece), ...after].join(", after ")}`],
  ];
}

function describeBlindSpot(found: ConsistentlyWrong, words: RowWords): Finding[] {
  const { question_count: wrong, low_entropy_questions: low, accuracy_probe: probe } = found;
  if (low === 0 || wrong === 0) return [];
  const auc =
    probe.auc === null ? "" : ` Among them the accuracy probe has AUROC ${formatNumber(probe.auc)}.`;
  const share = `${found.low_entropy_incorrect_rows} of ${found.incorrect_rows} ${words.wrong}`;
  return [
    [
      "  ",
      `Consistently wrong: ${wrong} of ${low} questions of low semantic entropy, ${found.single_cluster_count} with a single meaning.`,
    ],
    ["  ", `Semantic entropy cannot see them: ${share} belong to questions of low entropy.${auc}`],
    ...found.questions.slice(0, SHOWN_QUESTIONS).map(describeQuestion),
    ...(wrong > SHOWN_QUESTIONS
      ? [[BELOW_TITLE, `and ${wrong - SHOWN_QUESTIONS} more in probe_eval.json`] as const]
      : []),
  ];
}

function describeQuestion(question: ConsistentlyWrong["questions"][number]): Finding {
  const { question_id, answer, cluster_share, incorrect_count, row_count, accuracy_probe } = question;
  const said = answer === null ? "" : ` mostly "${oneLine(answer)}"`;
  const share = cluster_share === null ? "" : ` (${formatPercent(cluster_share)})`;
  const probe = accuracy_probe === null ? "" : `, accuracy probe ${formatNumber(accuracy_probe, 2)}`;
  return [BELOW_TITLE, `${question_id}:${said}${share}, ${incorrect_count} of ${row_count} wrong${probe}`];
}

function oneLine(answer: string): string {
  const line = answer.replace(/\s+/g, " ");
  return line.length > SHOWN_ANSWER_LENGTH ? `${line.slice(0, SHOWN_ANSWER_LENGTH - 1)}…` : line;
}
