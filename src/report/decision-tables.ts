import type { DecisionEvaluation } from "../evaluation/evaluate-decision.ts";
import type { ScoreName } from "../evaluation/evaluate-split.ts";
import type { EvaluatedSplit, ProbeEval } from "../evaluation/probe-eval.ts";
import { formatPercent, formatSignificant } from "../text/format-numbers.ts";
import { HELD_OUT_SPLITS, type HeldOutSplit } from "./figure.ts";
import { html, type SafeHtml } from "./html.ts";
import { SCORE_TITLES } from "./titles.ts";

type Decision = DecisionEvaluation<EvaluatedSplit>;

/** The thresholds that were chosen on validation, what each promises, and what came of it elsewhere. */
export function drawDecisions({ decisions = [], familiarity }: ProbeEval): SafeHtml {
  return html`${drawThresholds(decisions)}${drawFamiliarity(familiarity)}`;
}

function drawThresholds(decisions: readonly Decision[]): SafeHtml {
  if (decisions.length === 0) return html`<p class="quiet">No threshold was chosen.</p>`;
  const groups = new Map<string, Decision[]>();
  for (const decision of decisions)
    groups.set(decision.kind, [...(groups.get(decision.kind) ?? []), decision]);
  return html`${[...groups.values()].map(drawTarget)}`;
}

function drawTarget(group: readonly Decision[]): SafeHtml {
  const { kind, target } = group[0]!;
  const title =
    kind === "risk"
      ? `At most ${formatPercent(target)} of all answers given and wrong`
      : `At least ${formatPercent(target)} of all answers given`;
  const guarantee = group.find(({ threshold }) => threshold !== null)?.threshold?.guarantee ?? null;
  const elsewhere = group.some(({ achieved }) => achieved.ood_test !== undefined)
    ? " Nothing is promised on questions of another kind."
    : "";
  return html`<h3>${title}</h3>
${guarantee === null ? "" : html`<p class="quiet">${guarantee}${elsewhere}</p>`}
<div class="wide" role="region" tabindex="0" aria-label="${title}"><table>
<caption class="unseen">${title}: threshold of each score, and answers given at it</caption>
<thead><tr><th scope="col">Score</th><th scope="col">Answer up to</th><th scope="col">On</th><th scope="col">Given</th><th scope="col">Given and wrong</th><th scope="col">Wrong among the given</th></tr></thead>
<tbody>${group.flatMap(drawRows)}</tbody></table></div>`;
}

/** What thresholds say nothing about: questions of a kind that the probes were not trained on. */
function drawFamiliarity(familiarity: ProbeEval["familiarity"]): SafeHtml {
  const found = FAMILIARITY_TITLES.flatMap(([key, title]) => {
    const own = familiarity?.[key];
    return own == null ? [] : [{ title, own }];
  });
  const [first] = found;
  if (first === undefined) return html``;
  const { level, validation_questions: questions } = first.own;
  const items = found.map(({ title, own }) => {
    const shares = HELD_OUT_SPLITS.flatMap((split) => {
      const counted = own.splits[split];
      if (counted === undefined) return [];
      return [
        `${formatPercent(counted.unfamiliar_share)} of ${counted.question_count} (${SHORT_TITLES[split].toLowerCase()})`,
      ];
    });
    return html`<li>${title}: ${shares.join(", ")}</li>`;
  });
  return html`<h3>Unfamiliar questions</h3>
<p class="quiet">Questions whose states are unlike those that a probe was trained on, by their distance and ${questions} validation questions (p at most ${level}; of questions of the training kind, about ${formatPercent(level)} are). What a probe says of them is a guess.</p>
<ul>${items}</ul>`;
}

const FAMILIARITY_TITLES = [
  ["accuracy_probe", SCORE_TITLES.accuracy_probe],
  ["se_probe", SCORE_TITLES.se_probe],
] as const;

function drawRows({ score, threshold, reason, achieved }: Decision): SafeHtml[] {
  const title = SCORE_TITLES[score as ScoreName];
  if (threshold === null)
    return [
      html`<tr><th scope="row">${title}</th><td colspan="5" class="words">none: ${reason ?? ""}</td></tr>`,
    ];
  const tried = HELD_OUT_SPLITS.filter((split) => achieved[split] !== undefined);
  const head = html`<th scope="rowgroup" rowspan="${tried.length}">${title}</th><td rowspan="${tried.length}">${formatSignificant(threshold.threshold)}</td>`;
  return tried.map((split, i) => {
    const { coverage, risk, error_when_answering: error } = achieved[split]!;
    return html`<tr>${i === 0 ? head : ""}<td>${SHORT_TITLES[split]}</td><td>${formatPercent(coverage.estimate)}</td><td>${formatPercent(risk.estimate, 1)}</td><td>${formatPercent(error, 1)}</td></tr>`;
  });
}

const SHORT_TITLES: Readonly<Record<HeldOutSplit, string>> = { math_test: "Test", ood_test: "Others" };
