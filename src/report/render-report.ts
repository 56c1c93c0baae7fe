import type { ProbeEval } from "../evaluation/probe-eval.ts";
import { formatInterval, formatNumber, formatPercent } from "../text/format-numbers.ts";
import { drawBlindSpot } from "./blind-spot.ts";
import { drawComparisons } from "./comparison-table.ts";
import { drawDecisions } from "./decision-tables.ts";
import { drawFigure, type Figure, type FigureFormat, type FigureName } from "./figure.ts";
import { drawHeadlineTables } from "./headline-table.ts";
import { html, type SafeHtml, trustedHtml } from "./html.ts";
import { drawAllQuestions, drawUncertainQuestions } from "./question-sections.ts";
import type { ReportContent } from "./report-content.ts";
import { STYLE_SHEET } from "./style-sheet.ts";

/**
 * The report as one HTML page that loads nothing: no script, no font, no network.
 * Everything that comes from a question, a model or a file name is escaped.
 * @param figures of the same content; see `makeFigures`
 * @param formats what the figures are written as, to be linked
 */
export function renderReport(
  content: ReportContent,
  figures: ReadonlyMap<FigureName, Figure>,
  formats: readonly FigureFormat[],
): string {
  const { evaluation, transfer } = content;
  const charts = (...starts: readonly string[]): SafeHtml =>
    html`<div class="charts">${[...figures]
      .filter(([name]) => starts.some((start) => name.startsWith(start)))
      .map(([, figure]) => drawFigure(figure, formats))}</div>`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Semantic entropy probes: report</title>
<style>${trustedHtml(STYLE_SHEET)}</style>
</head>
<body>
<header>
<h1>Does the model know when it does not know?</h1>
${drawSummary(evaluation)}
</header>
<main>
${drawWarnings(evaluation)}
${drawSettings(content)}
${drawSection(
  "scores",
  "How well each score works",
  html`<p class="quiet">AUROC: the chance that a wrong answer scores as more uncertain than a right one; 0.5 is chance. Intervals resample whole questions (BCa); p permutes labels between questions, and ≤ marks the smallest p that so many permutations can give. PRR: prediction-rejection ratio, 1 is an oracle, 0 is random. Accuracy at 80%: among the least uncertain 80% of the answers.</p>
${drawHeadlineTables(evaluation)}
${drawFurther(evaluation)}`,
)}
${drawSection(
  "comparisons",
  "Is one score better than another?",
  html`<p class="quiet">Differences on the same answers: intervals from resampled questions, p by drawing the sign of what each question adds to the difference; Holm's correction is for all pairs of a split.</p>
${drawComparisons(evaluation)}`,
)}
${drawSection("curves", "ROC curves", charts("roc"))}
${drawSection("precision", "Precision and recall", charts("precision-recall"))}
${drawSection("coverage", "Risk and coverage", charts("risk-coverage"))}
${drawSection("decisions", "When to answer", drawDecisions(evaluation))}
${drawSection("reliability", "Do the probabilities mean what they say?", html`<p class="quiet">Calibration is Platt's, fitted on the validation questions.</p>${charts("reliability")}`)}
${drawSection("layers", "Where in the model it can be read", html`<p class="quiet">Cross-validated on the training questions only. Layer 0 is the embeddings; layer l is the residual stream after block l.</p>${charts("layers-", "layer-map-")}`)}
${drawSection("entropy", "Semantic entropy", charts("entropy-"))}
${drawSection("blind-spot", "What semantic entropy cannot see", html`<p class="quiet">A model that is wrong in the same way each time has low semantic entropy. Entropy over samples, and a probe trained to predict it, cannot find these questions.</p>${drawBlindSpot(content)}`)}
${transfer === null ? "" : drawSection("transfer", "Transfer to other data sets", html`<p class="quiet">AUROC against wrong answers on each data set's test questions; position ${transfer.position}.</p>${charts("transfer")}`)}
${drawSection(
  "questions",
  "The most uncertain test questions",
  html`<p class="quiet">Answers are grouped by meaning; open one to read a sample of it.</p>
${drawUncertainQuestions(content)}`,
)}
${drawSection("all-questions", "All held-out questions", html`<p class="quiet">By semantic entropy, in nats, highest first; open one to see its groups.</p>${drawAllQuestions(content)}`)}
</main>
</body>
</html>
`;
  return page.markup;
}

const drawSection = (id: string, title: string, body: SafeHtml): SafeHtml =>
  html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${body}</section>`;

function drawSummary({ math_test: test, ood_test: ood }: ProbeEval): SafeHtml {
  const accuracy = test.scores.accuracy_probe;
  const se = test.scores.se_probe;
  return html`<p class="lead">On ${test.counts.questions} test questions, a linear probe on one forward pass tells wrong answers from right ones with AUROC <strong>${formatNumber(accuracy.auc)}</strong> (95% interval ${formatInterval(accuracy.auc_intervals)}); the semantic-entropy probe, which never saw whether an answer was right, reaches <strong>${formatNumber(se.auc)}</strong> (${formatInterval(se.auc_intervals)}).${ood === undefined ? "" : html` On questions of another kind: ${formatNumber(ood.auc_accuracy_probe)} and ${formatNumber(ood.auc_se_probe)}.`}</p>`;
}

function drawWarnings({ warnings }: ProbeEval): SafeHtml {
  if (warnings.length === 0) return html``;
  return html`<section class="warnings" aria-labelledby="warnings"><h2 id="warnings">Read this first</h2><ul>${warnings.map(({ message }) => html`<li>${message}</li>`)}</ul></section>`;
}

function drawSettings({ settings }: ReportContent): SafeHtml {
  const rows = settings.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`);
  return html`<section aria-labelledby="settings"><h2 id="settings">How this was made</h2>
<div class="wide" role="region" tabindex="0" aria-label="Settings"><table class="settings"><caption class="unseen">Settings and provenance</caption><tbody>${rows.slice(0, FIRST_SETTINGS)}</tbody></table></div>
<details><summary>All settings and origins</summary><div class="wide" role="region" tabindex="0" aria-label="All settings"><table class="settings"><caption class="unseen">Further settings and provenance</caption><tbody>${rows.slice(FIRST_SETTINGS)}</tbody></table></div></details></section>`;
}

/** Model, questions, sampler, probes: without these the numbers below say nothing. */
const FIRST_SETTINGS = 7;

function drawFurther({ math_test: test }: ProbeEval): SafeHtml {
  const { shuffled_label_control: shuffled, constant_feature_control: constant, power } = test;
  const lines = [
    shuffled === null
      ? null
      : html`<li>Control: the accuracy probe trained ${shuffled.repeats} times on shuffled labels has AUROC ${formatNumber(shuffled.auc_mean)} on average (${formatNumber(shuffled.auc_min)} to ${formatNumber(shuffled.auc_max)}); the average should be near 0.5.</li>`,
    constant === null
      ? null
      : html`<li>Control: an accuracy probe that sees the same numbers for every answer has AUROC ${formatNumber(constant.auc)}; it should be 0.5.</li>`,
    power === null || power.smallest_auc === null
      ? null
      : html`<li>Power: with so many questions, an AUROC of ${formatNumber(power.smallest_auc, 2)} or more is found significant in ${formatPercent(power.power)} of studies.</li>`,
    html`<li>Mean P(correct) by the accuracy probe: ${formatNumber(test.mean_conf_acc_correct)} for right answers, ${formatNumber(test.mean_conf_acc_incorrect)} for wrong ones.</li>`,
    test.tau_answer === null
      ? null
      : html`<li>Answering only where P(correct) ≥ ${formatNumber(test.tau_answer)} (chosen on validation) keeps ${formatNumber(test.coverage_at_tau, 2)} of the answers, with accuracy ${formatNumber(test.accuracy_at_tau, 2)}.</li>`,
  ].filter((line) => line !== null);
  return html`<p>On the test questions:</p><ul>${lines}</ul>`;
}
