import { nameObserver } from "../engine/observation.ts";
import type { Audit } from "../evaluation/audit.ts";
import type { AuditCheck } from "../evaluation/checks.ts";
import type { ConsistentlyWrong } from "../evaluation/consistently-wrong.ts";
import type { DecisionEvaluation } from "../evaluation/evaluate-decision.ts";
import type { ScoreEvaluation } from "../evaluation/evaluate-score.ts";
import type { SplitEvaluation } from "../evaluation/evaluate-split.ts";
import { EVALUATED_SPLITS, type EvaluatedSplit, type ProbeEval } from "../evaluation/probe-eval.ts";
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
import { describeWarnings, type Look, type Paint, type Style, USUAL_COLUMNS, wrap } from "./terminal.ts";

/**
 * An evaluation as a table for people: one block per split with each score's AUROC, 95% interval, p-value and
 * counts, then the warnings. The rows fit into 80 columns; texts are wrapped to `columns`.
 */
export function describeEvaluation(
  evaluation: ProbeEval,
  paint: Paint,
  { columns = USUAL_COLUMNS, seeds = null }: DescribeEvaluationOptions = {},
): string {
  const blocks = EVALUATED_SPLITS.flatMap((split) => {
    const result = evaluation[split];
    return result === undefined ? [] : [describeSplit(split, result, { paint, columns })];
  });
  const { method, threshold } = evaluation.se_threshold;
  return [
    ...blocks,
    ...(blocks.some((block) => block.includes("≤"))
      ? [`≤ marks the smallest p-value that ${evaluation.settings.permutations} permutations can give.`]
      : []),
    ...explainAuroc(evaluation).map((text) => wrap(text, columns).join("\n")),
    ...[nameObserver(evaluation.source)].flatMap((line) => (line === null ? [] : [`Observer: ${line}.`])),
    wrap(
      `Semantic entropy above ${formatNumber(threshold)} nats (${method}) counts as high.${describeProbes(evaluation)}`,
      columns,
    ).join("\n"),
    ...describeDecisions(shownDecisions(evaluation), paint),
    ...describeFamiliarity(evaluation, paint),
    ...(seeds === null ? [] : [describeSeeds(seeds, paint)]),
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
function explainAuroc({ math_test: test }: ProbeEval): string[] {
  const auc = test?.scores.accuracy_probe.auc ?? null;
  if (auc === null) return [];
  const found = formatNumber(auc, 2);
  return [
    `AUROC ${found}: of 100 pairs of a wrong and a right answer to test questions, the accuracy probe gives the wrong one the higher score in ${formatOfHundred(auc)}; tossing a coin would in 50.`,
  ];
}

function describeSplit(split: EvaluatedSplit, evaluation: SplitEvaluation, { paint, columns }: Look): string {
  const { counts, scores } = evaluation;
  const { rows, questions, incorrect, high_semantic_entropy: high } = counts;
  const facts = `${TITLES[split]}: ${rows} answers to ${questions} questions, ${percent(incorrect, rows)} wrong, ${percent(high, rows)} of high semantic entropy`;
  const title = `${paint("bold", split)}  ${wrap(facts, columns - split.length - 2).join("\n  ")}`;
  const table = SCORE_NAMES.filter((key) => isExpected(key) || scores[key].row_count > 0).map((key) =>
    describeScore(nameOf(key), scores[key]),
  );
  table.push(describeScore("SE probe: finds high entropy?", scores.se_probe_high_se));
  const findings = describeFindings(evaluation).map((line) => wrap(line, columns).join("\n    "));
  return [title, paint("gray", HEADER), ...table, ...findings].join("\n");
}

function describeScore(name: string, score: ScoreEvaluation): string {
  const { permutation } = score;
  return [
    `  ${name}`.padEnd(NAME_WIDTH),
    formatNumber(score.auc).padStart(6),
    formatInterval(score.auc_intervals).padStart(14),
    formatPValue(permutation?.p_value ?? null, permutation?.permutations ?? null).padStart(P_WIDTH),
    `${score.positive_count}/${score.row_count}`.padStart(12),
  ].join("");
}

function describeProbes({ probes }: ProbeEval): string {
  const parts = PROBES.flatMap(([key, name]) => {
    const probe = probes[key];
    return probe === null ? [] : [`the ${name} layer ${probe.layer} at ${probe.position}`];
  });
  return parts.length === 0 ? "" : ` Hidden states read: ${parts.join(", ")}.`;
}

/** Empty where no probe can tell. */
function describeFamiliarity({ familiarity }: ProbeEval, paint: Paint): string[] {
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
    return [`    ${name}`.padEnd(PROBE_WIDTH) + shares.join(", ")];
  });
  if (rows.length === 0) return [];
  const { level } = (familiarity?.accuracy_probe ?? familiarity?.se_probe)!;
  const title = `${paint("bold", "Unfamiliar questions")}\n  States unlike those of the training questions (p ≤ ${level})`;
  return [[title, ...rows].join("\n")];
}

/** Those of the checks are said by the checks. */
const warningsBesideChecks = ({ warnings }: ProbeEval): ProbeEval["warnings"] =>
  warnings.filter(({ code }) => !code.startsWith("check-"));

const percent = (part: number, whole: number): string => formatPercent(whole === 0 ? 0 : part / whole);

const P_WIDTH = 9;

const TITLES: Readonly<Record<EvaluatedSplit, string>> = {
  math_val: "validation",
  math_test: "test",
  ood_test: "out of distribution",
};

const NAME_WIDTH = 36;
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
  const width = Math.min(TEXT_WIDTH, columns - 2);
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
    ...rest.flatMap((sentence) => wrap(sentence, width).map((line) => `  ${line}`)),
  ].join("\n");
}

const HEADER = [
  "  finds wrong answers?".padEnd(NAME_WIDTH),
  "AUROC".padStart(6),
  "95% interval".padStart(14),
  "p".padStart(P_WIDTH),
  "positives".padStart(12),
].join("");

type Decision = DecisionEvaluation<EvaluatedSplit>;

/**
 * The thresholds as a table: what they guarantee, and what they achieve on questions that they were not chosen on. Empty
 * without any.
 */
function describeDecisions(decisions: readonly Decision[], paint: Paint): string[] {
  if (decisions.length === 0) return [];
  const groups = groupByTarget(decisions);
  return [
    [paint("bold", "When to answer"), ...groups.flatMap((group) => describeTarget(group, paint))].join("\n"),
  ];
}

function groupByTarget(decisions: readonly Decision[]): Decision[][] {
  const groups = new Map<string, Decision[]>();
  for (const decision of decisions)
    groups.set(decision.kind, [...(groups.get(decision.kind) ?? []), decision]);
  return [...groups.values()];
}

function describeTarget(group: readonly Decision[], paint: Paint): string[] {
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
    return [title, ...wrap(`No threshold: ${reason}`, DECISION_WIDTH).map((line) => `    ${line}`)];
  return [
    title,
    paint("gray", DECISION_HEADER),
    ...group.flatMap(describeDecision),
    ...explainDecision(group).map((line) => `    ${line}`),
    ...(guarantee === undefined
      ? []
      : wrap(`${guarantee}${onOthers}`, DECISION_WIDTH).map((line) => paint("gray", `    ${line}`))),
  ];
}

/** The first threshold that holds, in words. */
function explainDecision(group: readonly Decision[]): string[] {
  const decision = group.find(({ threshold }) => threshold !== null);
  const own = decision?.achieved.math_test;
  if (decision === undefined || own === undefined) return [];
  const { coverage, risk } = own;
  if (coverage.estimate === null || risk.estimate === null) return [];
  return wrap(
    `By the ${nameOf(decision.score as ScoreName)}, of 100 test answers ${formatOfHundred(coverage.estimate)} are given, and ${formatOfHundred(risk.estimate)} of the 100 are given and wrong.`,
    DECISION_WIDTH,
  );
}

function describeDecision({ score, threshold, reason, achieved }: Decision): string[] {
  const name = `    ${nameOf(score as ScoreName)}`.padEnd(NAME_WIDTH);
  if (threshold === null)
    return wrap(`none: ${reason}`, DECISION_WIDTH - NAME_WIDTH).map(
      (line, i) => `${i === 0 ? name : " ".repeat(NAME_WIDTH)}  ${line}`,
    );
  return SPLITS.flatMap(([split, title], i) => {
    const own = achieved[split];
    if (own === undefined) return [];
    const error = own.error_when_answering;
    return [
      [
        i === 0 ? name : " ".repeat(NAME_WIDTH),
        (i === 0 ? formatSignificant(threshold.threshold) : "").padStart(9),
        title.padStart(6),
        formatPercent(own.coverage.estimate, 1).padStart(8),
        formatPercent(own.risk.estimate, 1).padStart(11),
        formatPercent(error, 1).padStart(10),
      ].join(""),
    ];
  });
}

const DECISION_WIDTH = 76;

const DECISION_HEADER = [
  "".padEnd(NAME_WIDTH),
  "score ≤".padStart(9),
  "split".padStart(6),
  "given".padStart(8),
  "and wrong".padStart(11),
  "error".padStart(10),
].join("");

const SPLITS = [
  ["math_test", "test"],
  ["ood_test", "ood"],
] as const satisfies readonly (readonly [EvaluatedSplit, string])[];

/** Questions that are listed; the file has them all. */
const SHOWN_QUESTIONS = 5;
const SHOWN_ANSWER_LENGTH = 24;
const TEXT_WIDTH = 78;

/**
 * The lines below a split's table: the two probes compared, their calibration, and what semantic entropy cannot see.
 * Each is left out where there is nothing to say.
 */
function describeFindings(split: SplitEvaluation): string[] {
  return [
    ...describeComparison(split),
    ...describeCalibration(split),
    ...describeBlindSpot(split.consistently_wrong),
  ];
}

/** Text within 80 columns, its further lines indented. */
const hang = (text: string, indent = "  "): string[] =>
  wrap(text, TEXT_WIDTH - indent.length - 2).map((line, i) => `${indent}${i === 0 ? "" : "  "}${line}`);

function describeComparison({ paired_comparisons: comparisons }: SplitEvaluation): string[] {
  const found = comparisons.find(({ first, second }) => first === "se_probe" && second === "accuracy_probe");
  if (found === undefined) return [];
  const { estimate, intervals } = found.auc_difference;
  const range = intervals.length === 0 ? "" : `, ${formatInterval(intervals, { decimals: 3, signed: true })}`;
  const p =
    found.p_value === null
      ? ""
      : `; ${formatPEquation(found.p_value, found.permutations)}, after Holm for ${comparisons.filter(({ first }) => first === "se_probe").length} pairs ${formatPEquation(found.p_value_holm, null)}`;
  return hang(`SE probe minus accuracy probe: ${formatSigned(estimate)}${range}${p}`);
}

function describeCalibration({ calibration }: SplitEvaluation): string[] {
  const { accuracy_probe: own } = calibration;
  if (own === null) return [];
  const after = (["platt", "isotonic"] as const).flatMap((method) => {
    const quality = own[method];
    return quality === null ? [] : [`${method} ${formatNumber(quality.ece)}`];
  });
  return hang(`Accuracy probe's calibration error: ${[formatNumber(own.ece), ...after].join(", after ")}`);
}

function describeBlindSpot(found: ConsistentlyWrong): string[] {
  const { question_count: wrong, low_entropy_questions: low, accuracy_probe: probe } = found;
  if (low === 0) return [];
  const auc =
    probe.auc === null ? "" : ` Among them the accuracy probe has AUROC ${formatNumber(probe.auc)}.`;
  const share = `${found.low_entropy_incorrect_rows} of ${found.incorrect_rows} wrong answers`;
  return [
    ...hang(
      `Consistently wrong: ${wrong} of ${low} questions of low semantic entropy, ${found.single_cluster_count} with a single meaning.`,
    ),
    ...wrap(
      `Semantic entropy cannot see them: ${share} are to questions of low entropy.${auc}`,
      TEXT_WIDTH,
    ).map((line) => `  ${line}`),
    ...found.questions.slice(0, SHOWN_QUESTIONS).map(describeQuestion),
    ...(wrong > SHOWN_QUESTIONS ? [`    and ${wrong - SHOWN_QUESTIONS} more in probe_eval.json`] : []),
  ];
}

function describeQuestion(question: ConsistentlyWrong["questions"][number]): string {
  const { question_id, answer, cluster_share, incorrect_count, row_count, accuracy_probe } = question;
  const said = answer === null ? "" : ` mostly "${oneLine(answer)}"`;
  const share = cluster_share === null ? "" : ` (${formatPercent(cluster_share)})`;
  const probe = accuracy_probe === null ? "" : `, accuracy probe ${formatNumber(accuracy_probe, 2)}`;
  return `    ${question_id}:${said}${share}, ${incorrect_count} of ${row_count} wrong${probe}`;
}

function oneLine(answer: string): string {
  const line = answer.replace(/\s+/g, " ");
  return line.length > SHOWN_ANSWER_LENGTH ? `${line.slice(0, SHOWN_ANSWER_LENGTH - 1)}…` : line;
}
