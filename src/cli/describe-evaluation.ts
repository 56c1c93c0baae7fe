import type { ScoreEvaluation } from "../evaluation/evaluate-score.ts";
import type { SplitEvaluation } from "../evaluation/evaluate-split.ts";
import { EVALUATED_SPLITS, type EvaluatedSplit, type ProbeEval } from "../evaluation/probe-eval.ts";
import { formatInterval, formatNumber, formatPercent, formatPValue } from "../text/format-numbers.ts";
import { describeDecisions } from "./describe-decisions.ts";
import { describeFindings } from "./describe-findings.ts";
import type { Paint } from "./terminal.ts";

/**
 * An evaluation as a table for people: a block a split with each score's AUROC, 95% interval, p-value and
 * counts, then the warnings. The rows fit into 80 columns.
 */
export function describeEvaluation(evaluation: ProbeEval, paint: Paint): string {
  const blocks = EVALUATED_SPLITS.flatMap((split) => {
    const result = evaluation[split];
    return result === undefined ? [] : [describeSplit(split, result, paint)];
  });
  const { method, threshold } = evaluation.se_threshold;
  return [
    ...blocks,
    ...(blocks.some((block) => block.includes("≤"))
      ? [`≤ marks the smallest p that ${evaluation.settings.permutations} permutations can give.`]
      : []),
    `Semantic entropy above ${formatNumber(threshold)} nats (${method}) counts as high.${describeProbes(evaluation)}`,
    ...describeDecisions(evaluation.decisions ?? [], paint),
    ...describeFamiliarity(evaluation, paint),
    ...describeWarnings(evaluation, paint),
  ].join("\n\n");
}

function describeSplit(split: EvaluatedSplit, evaluation: SplitEvaluation, paint: Paint): string {
  const { counts, scores } = evaluation;
  const { rows, questions, incorrect, high_semantic_entropy: high } = counts;
  const title = `${paint("bold", split)}  ${TITLES[split]}: ${rows} answers to ${questions} questions, ${percent(incorrect, rows)} wrong, ${percent(high, rows)} of high semantic entropy`;
  const table = SCORES.map(([key, name]) => describeScore(name, scores[key]));
  return [title, paint("gray", HEADER), ...table, ...describeFindings(evaluation)].join("\n");
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
    return [`    ${name}`.padEnd(NAME_WIDTH) + shares.join(", ")];
  });
  if (rows.length === 0) return [];
  const { level } = (familiarity?.accuracy_probe ?? familiarity?.se_probe)!;
  const title = `${paint("bold", "Unfamiliar questions")}\n  States unlike those of the training questions (p at most ${level})`;
  return [[title, ...rows].join("\n")];
}

function describeWarnings({ warnings }: ProbeEval, paint: Paint): string[] {
  if (warnings.length === 0) return [];
  const lines = warnings.map(({ code, message }) => `  ${message} ${paint("gray", `[${code}]`)}`);
  return [[paint("yellow", "Warnings"), ...lines].join("\n")];
}

const percent = (part: number, whole: number): string => formatPercent(whole === 0 ? 0 : part / whole);

const P_WIDTH = 9;

const TITLES: Readonly<Record<EvaluatedSplit, string>> = {
  math_val: "validation",
  math_test: "test",
  ood_test: "out of distribution",
};

const NAME_WIDTH = 36;

/** Those that read hidden states. */
const PROBES = [
  ["accuracy_probe", "accuracy probe"],
  ["se_probe", "SE probe"],
] as const;

const SCORES = [
  ["accuracy_probe", "accuracy probe"],
  ["se_probe", "SE probe"],
  ["entropy_baseline", "entropy baseline"],
  ["semantic_entropy", "semantic entropy itself"],
  ["discrete_semantic_entropy", "discrete semantic entropy itself"],
  ["se_probe_high_se", "SE probe: finds high entropy?"],
] as const;

const HEADER = [
  "  finds wrong answers?".padEnd(NAME_WIDTH),
  "AUROC".padStart(6),
  "95% interval".padStart(14),
  "p".padStart(P_WIDTH),
  "positives".padStart(12),
].join("");
