import type { EvaluatedSplit, ProbeEval } from "../evaluation/probe-eval.ts";
import { drawEntropyFigure } from "./entropy-chart.ts";
import { drawHeadlineTables, SPLIT_TITLES } from "./headline-table.ts";
import { html, type SafeHtml, trustedHtml } from "./html.ts";
import { drawLayerFigure } from "./layer-chart.ts";
import { formatInterval, formatNumber } from "./numbers.ts";
import { drawQuestionCards } from "./question-cards.ts";
import type { ReportContent } from "./report-content.ts";
import { drawRocFigure } from "./roc-chart.ts";
import { STYLE_SHEET } from "./style-sheet.ts";

/**
 * The report as one HTML page that loads nothing: no script, no font, no network.
 * Everything that comes from a question, a model or a file name is escaped.
 */
export function renderReport(content: ReportContent): string {
  const { evaluation, layerScores, settings } = content;
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
<section aria-labelledby="scores"><h2 id="scores">How well each score works</h2>
<p class="quiet">AUROC: the chance that a wrong answer scores as more uncertain than a right one; 0.5 is chance. Intervals resample whole questions (BCa); p permutes labels between questions. PRR: prediction-rejection ratio, 1 is an oracle, 0 is random. Accuracy at 80%: among the least uncertain 80% of the answers.</p>
${drawHeadlineTables(evaluation)}
${drawFurther(evaluation)}
</section>
<section aria-labelledby="roc"><h2 id="roc">ROC curves</h2><div class="charts">${drawRocFigures(content)}</div></section>
<section aria-labelledby="layers"><h2 id="layers">Where in the model it can be read</h2>
<p class="quiet">Cross-validated on the training questions only. Layer 0 is the embeddings; layer l is the residual stream after block l.</p>
<div class="charts">${drawLayerFigure("Wrong answers, by layer", layerScores, "incorrect", evaluation.probes.accuracy_probe)}${drawLayerFigure("High semantic entropy, by layer", layerScores, "high-semantic-entropy", evaluation.probes.se_probe)}</div></section>
<section aria-labelledby="entropy"><h2 id="entropy">Semantic entropy</h2><div class="charts">${drawEntropyFigure(content.entropies, evaluation.se_threshold)}</div></section>
<section aria-labelledby="questions"><h2 id="questions">The most uncertain test questions</h2>
<p class="quiet">Answers are grouped by meaning; open one to read a sample of it.</p>
${drawQuestionCards(content.uncertainQuestions)}</section>
<section aria-labelledby="settings"><h2 id="settings">How this was made</h2>
<div class="wide" role="region" tabindex="0" aria-label="Settings"><table class="settings"><caption class="quiet">Settings and provenance</caption><tbody>${settings.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}</tbody></table></div></section>
</main>
</body>
</html>
`;
  return page.markup;
}

function drawSummary({ math_test: test, ood_test: ood }: ProbeEval): SafeHtml {
  const accuracy = test.scores.accuracy_probe;
  const se = test.scores.se_probe;
  return html`<p class="lead">On ${test.counts.questions} test questions, a linear probe on one forward pass tells wrong answers from right ones with AUROC <strong>${formatNumber(accuracy.auc)}</strong> (95% interval ${formatInterval(accuracy.auc_intervals)}); the semantic-entropy probe, which never saw whether an answer was right, reaches <strong>${formatNumber(se.auc)}</strong> (${formatInterval(se.auc_intervals)}).${ood === undefined ? "" : html` On questions of another kind: ${formatNumber(ood.auc_accuracy_probe)} and ${formatNumber(ood.auc_se_probe)}.`}</p>`;
}

function drawWarnings({ warnings }: ProbeEval): SafeHtml {
  if (warnings.length === 0) return html``;
  return html`<section class="warnings" aria-labelledby="warnings"><h2 id="warnings">Read this first</h2><ul>${warnings.map(({ message }) => html`<li>${message}</li>`)}</ul></section>`;
}

function drawFurther({ math_test: test }: ProbeEval): SafeHtml {
  const difference = test.auc_difference_se_minus_accuracy;
  const control = test.shuffled_label_control;
  const lines = [
    difference === null
      ? null
      : html`<li>SE probe minus accuracy probe, AUROC on the same resamples: ${formatNumber(difference.estimate)} (95% interval ${formatInterval(difference.intervals, { digits: 3 })}).</li>`,
    control === null
      ? null
      : html`<li>Control: the accuracy probe trained ${control.repeats} times on shuffled labels has AUROC ${formatNumber(control.auc_mean)} on average (${formatNumber(control.auc_min)} to ${formatNumber(control.auc_max)}); the average should be near 0.5.</li>`,
    html`<li>Mean P(correct) by the accuracy probe: ${formatNumber(test.mean_conf_acc_correct)} for right answers, ${formatNumber(test.mean_conf_acc_incorrect)} for wrong ones.</li>`,
    test.tau_answer === null
      ? null
      : html`<li>Answering only where P(correct) ≥ ${formatNumber(test.tau_answer)} (chosen on validation) keeps ${formatNumber(test.coverage_at_tau, 2)} of the answers, with accuracy ${formatNumber(test.accuracy_at_tau, 2)}.</li>`,
  ].filter((line) => line !== null);
  return html`<p>On the test questions:</p><ul>${lines}</ul>`;
}

function drawRocFigures({ scores }: ReportContent): SafeHtml[] {
  const shown: readonly EvaluatedSplit[] = ["math_test", "ood_test"];
  return shown.flatMap((split) => {
    const own = scores[split];
    return own === undefined ? [] : [drawRocFigure(SPLIT_TITLES[split], own)];
  });
}
