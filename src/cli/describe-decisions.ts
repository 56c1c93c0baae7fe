import type { DecisionEvaluation } from "../evaluation/evaluate-decision.ts";
import type { ScoreName } from "../evaluation/evaluate-split.ts";
import type { EvaluatedSplit } from "../evaluation/probe-eval.ts";
import { formatPercent, formatSignificant } from "../text/format-numbers.ts";
import { type Paint, wrap } from "./terminal.ts";

type Decision = DecisionEvaluation<EvaluatedSplit>;

/**
 * The thresholds as a table: what was promised, and what came of it on questions that they were not chosen on. Empty
 * without any.
 */
export function describeDecisions(decisions: readonly Decision[], paint: Paint): string[] {
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
      ? `  At most ${percent(target)} of all answers given and wrong`
      : `  At least ${percent(target)} of all answers given`;
  const guarantee = group.find(({ threshold }) => threshold !== null)?.threshold?.guarantee;
  const onOthers = group.some(({ achieved }) => achieved.ood_test !== undefined)
    ? " Nothing is promised on ood questions."
    : "";
  return [
    title,
    paint("gray", HEADER),
    ...group.flatMap(describeDecision),
    ...(guarantee === undefined
      ? []
      : wrap(`${guarantee}${onOthers}`, TEXT_WIDTH).map((line) => paint("gray", `    ${line}`))),
  ];
}

function describeDecision({ score, threshold, reason, achieved }: Decision): string[] {
  const name = `    ${NAMES[score as ScoreName]}`.padEnd(NAME_WIDTH);
  if (threshold === null)
    return wrap(`none: ${reason}`, TEXT_WIDTH - NAME_WIDTH).map(
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
        percent(own.coverage.estimate).padStart(8),
        percent(own.risk.estimate).padStart(11),
        percent(error).padStart(10),
      ].join(""),
    ];
  });
}

const percent = (share: number | null): string => formatPercent(share, 1);

const NAME_WIDTH = 36;
const TEXT_WIDTH = 76;

const HEADER = [
  "".padEnd(NAME_WIDTH),
  "up to".padStart(9),
  "on".padStart(6),
  "given".padStart(8),
  "and wrong".padStart(11),
  "of given".padStart(10),
].join("");

const SPLITS = [
  ["math_test", "test"],
  ["ood_test", "ood"],
] as const satisfies readonly (readonly [EvaluatedSplit, string])[];

const NAMES: Readonly<Record<ScoreName, string>> = {
  accuracy_probe: "accuracy probe",
  se_probe: "SE probe",
  entropy_baseline: "entropy baseline",
  semantic_entropy: "semantic entropy",
  discrete_semantic_entropy: "discrete semantic entropy",
};
