import { nameObserver } from "../engine/observation.ts";
import type { ProbeEval } from "../evaluation/probe-eval.ts";
import { formatInterval, formatNumber, formatPercent } from "../text/format-numbers.ts";
import { shorten } from "../text/shorten.ts";
import { drawLegend, PALETTE } from "./chart.ts";
import { drawBlindSpot, drawComparisons, drawDecisions, drawHeadlineTables } from "./evaluation-tables.ts";
import {
  FIGURE_FOLDER,
  type Figure,
  type FigureFormat,
  type FigureName,
  HELD_OUT_SPLITS,
  SPLIT_TITLES,
} from "./figure.ts";
import { html, type SafeHtml, trustedHtml } from "./html.ts";
import type { AnswerCluster, ReportContent, ReportQuestion } from "./report-content.ts";
import { drawUnits } from "./unit-section.ts";

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
  "How well each score finds wrong answers",
  html`<p class="quiet">AUROC: the chance that a wrong answer scores as more uncertain than a right one; 0.5 is chance. Intervals resample whole questions (BCa); p-values permute labels between questions; ≤ marks the smallest p-value that this many permutations can give. PRR: prediction-rejection ratio; 1 is an oracle, 0 is random. Accuracy at 80%: accuracy of the least uncertain 80% of the answers.</p>
${drawHeadlineTables(evaluation)}
${drawFurther(evaluation)}`,
)}
${drawSection(
  "comparisons",
  "Is one score better than another?",
  html`<p class="quiet">Differences on the same answers. Intervals resample whole questions; p-values flip the sign of each question's contribution to the difference at random; Holm's correction covers all pairs of a split.</p>
${drawComparisons(evaluation)}`,
)}
${drawSection("curves", "ROC curves", charts("roc"))}
${drawSection("precision", "Precision and recall", charts("precision-recall"))}
${drawSection("coverage", "Risk and coverage", charts("risk-coverage"))}
${drawSection("decisions", "When to answer", drawDecisions(evaluation))}
${drawSection("reliability", "Do the probabilities mean what they say?", html`<p class="quiet">Calibrated by Platt scaling on the validation questions.</p>${charts("reliability")}`)}
${drawSection("layers", "Which layers and positions work", html`<p class="quiet">Cross-validated on the training questions alone. Layer 0 is the embeddings; layer l is the residual stream after block l.</p>${charts("layers-", "layer-map-")}`)}
${evaluation.units === undefined ? "" : drawSection("units", "Along the answers", drawUnits(evaluation.units))}
${drawSection("entropy", "Semantic entropy", charts("entropy-"))}
${drawSection("blind-spot", "What semantic entropy cannot see", html`<p class="quiet">A model that is wrong in the same way every time has low semantic entropy. Neither the entropy over samples nor a probe trained to predict it can find these questions.</p>${drawBlindSpot(content)}`)}
${transfer === null ? "" : drawSection("transfer", "Transfer to other data sets", html`<p class="quiet">AUROC at finding wrong answers among each data set's test questions; position ${transfer.position}.</p>${charts("transfer")}`)}
${drawSection(
  "questions",
  "The most uncertain test questions",
  html`<p class="quiet">Answers are clustered by meaning. Open a cluster to read one of its samples.</p>
${drawUncertainQuestions(content)}`,
)}
${drawSection("all-questions", "All held-out questions", html`<p class="quiet">By semantic entropy in nats, highest first. Open a question to see its clusters.</p>${drawAllQuestions(content)}`)}
</main>
</body>
</html>
`;
  return page.markup;
}

const drawSection = (id: string, title: string, body: SafeHtml): SafeHtml =>
  html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${body}</section>`;

function drawSummary({ math_test: test, ood_test: ood, source }: ProbeEval): SafeHtml {
  const observer = nameObserver(source);
  const accuracy = test.scores.accuracy_probe;
  const se = test.scores.se_probe;
  return html`<p class="lead">On ${test.counts.questions} test questions, a linear probe on one forward pass tells wrong answers from right ones with AUROC <strong>${formatNumber(accuracy.auc)}</strong> (95% interval ${formatInterval(accuracy.auc_intervals)}); the semantic entropy probe, which never saw whether an answer was right, reaches <strong>${formatNumber(se.auc)}</strong> (${formatInterval(se.auc_intervals)}).${ood === undefined ? "" : html` Out of distribution: ${formatNumber(ood.auc_accuracy_probe)} and ${formatNumber(ood.auc_se_probe)}.`}</p>${observer === null ? "" : html`<p class="quiet">The probes are an observer's: ${observer}.</p>`}`;
}

function drawWarnings({ warnings }: ProbeEval): SafeHtml {
  if (warnings.length === 0) return html``;
  return html`<section class="warnings" aria-labelledby="warnings"><h2 id="warnings">Read this first</h2><ul>${warnings.map(({ message }) => html`<li>${message}</li>`)}</ul></section>`;
}

function drawSettings({ settings }: ReportContent): SafeHtml {
  const rows = settings.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`);
  return html`<section aria-labelledby="settings"><h2 id="settings">How this was made</h2>
<div class="wide" role="region" tabindex="0" aria-label="Settings"><table class="settings"><caption class="unseen">Settings and provenance</caption><tbody>${rows.slice(0, FIRST_SETTINGS)}</tbody></table></div>
<details><summary>All settings and provenance</summary><div class="wide" role="region" tabindex="0" aria-label="All settings"><table class="settings"><caption class="unseen">Further settings and provenance</caption><tbody>${rows.slice(FIRST_SETTINGS)}</tbody></table></div></details></section>`;
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
      : html`<li>Control: an accuracy probe that sees the same features for every answer has AUROC ${formatNumber(constant.auc)}; it should be 0.5.</li>`,
    power === null || power.smallest_auc === null
      ? null
      : html`<li>Power: with this many questions, an AUROC of ${formatNumber(power.smallest_auc, 2)} or more would be significant in ${formatPercent(power.power)} of studies.</li>`,
    html`<li>Mean P(correct) by the accuracy probe: ${formatNumber(test.mean_conf_acc_correct)} for right answers, ${formatNumber(test.mean_conf_acc_incorrect)} for wrong ones.</li>`,
    test.tau_answer === null
      ? null
      : html`<li>Answering only where P(correct) ≥ ${formatNumber(test.tau_answer)} (chosen on validation) keeps ${formatNumber(test.coverage_at_tau, 2)} of the answers, with accuracy ${formatNumber(test.accuracy_at_tau, 2)}.</li>`,
  ].filter((line) => line !== null);
  return html`<p>On the test questions:</p><ul>${lines}</ul>`;
}

/** Questions shown in full. */
const CARD_COUNT = 10;
/** A sample's text is shown up to here; the runs file has all of it. */
const CARD_EXAMPLE_LIMIT = 4000;
const LIST_EXAMPLE_LIMIT = 600;
/** Keeps the page at a size that browsers open at once. */
const LISTED_QUESTIONS = 2000;

/** The most uncertain questions, each with its answers clustered by meaning. */
function drawUncertainQuestions({ questions }: ReportContent): SafeHtml {
  const shown = (questions.math_test ?? []).slice(0, CARD_COUNT);
  if (shown.length === 0) return html`<p class="quiet">No test question has semantic entropy.</p>`;
  return html`<ol class="cards">${shown.map(drawCard)}</ol>`;
}

/** Every held-out question on one line, to be opened. */
function drawAllQuestions({ questions }: ReportContent): SafeHtml {
  return html`${HELD_OUT_SPLITS.flatMap((split) => {
    const own = questions[split];
    return own === undefined || own.length === 0 ? [] : [drawList(SPLIT_TITLES[split], own)];
  })}`;
}

function drawList(title: string, questions: readonly ReportQuestion[]): SafeHtml {
  const left = questions.length - LISTED_QUESTIONS;
  const rest =
    left <= 0
      ? ""
      : html`<p class="quiet">${left} more, of lower entropy, are in the files; <code>sep clusters</code> shows any of them.</p>`;
  return html`<details class="list"><summary><b>${title}</b> <span class="quiet">${questions.length} questions</span></summary>${questions.slice(0, LISTED_QUESTIONS).map(drawLine)}${rest}</details>`;
}

const drawLine = (question: ReportQuestion): SafeHtml =>
  html`<details><summary><span class="nats">${formatNumber(question.semanticEntropy, 2)}</span> <span class="answer">${question.id}</span> ${shorten(question.question, SHOWN_QUESTION)}</summary><div class="opened"><p class="text">${question.question}</p>${drawFacts(question)}<ul class="clusters">${question.clusters.map((cluster) => drawCluster(cluster, LIST_EXAMPLE_LIMIT))}</ul></div></details>`;

const SHOWN_QUESTION = 90;

const drawCard = (question: ReportQuestion): SafeHtml =>
  html`<li><article>
<h3>${question.question}</h3>
${drawFacts(question)}
<ul class="clusters">${question.clusters.map((cluster) => drawCluster(cluster, CARD_EXAMPLE_LIMIT))}</ul>
</article></li>`;

const drawFacts = (question: ReportQuestion): SafeHtml =>
  html`<p class="quiet">${question.id} · semantic entropy ${formatNumber(question.semanticEntropy, 2)} nats · P(wrong) ${formatPercent(question.accuracyProbe)} by the accuracy probe · P(high entropy) ${formatPercent(question.seProbe)} by the SE probe${question.reference === null ? "" : html` · reference answer <b>${question.reference}</b>`}</p>`;

function drawCluster({ answer, sampleCount, correctCount, example }: AnswerCluster, limit: number): SafeHtml {
  const verdict =
    correctCount === sampleCount ? "right" : correctCount === 0 ? "wrong" : `${correctCount} right`;
  return html`<li><details><summary><span class="count">${sampleCount}×</span> <span class="answer">${answer}</span> <span class="${correctCount === 0 ? "verdict wrong" : "verdict right"}">${verdict}</span></summary><pre tabindex="0">${shorten(example, limit)}</pre></details></li>`;
}

/** The report's style: one readable column, light or dark as the reader's system is, on screens, phones and paper. */
const STYLE_SHEET: string = `
${PALETTE}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header { max-width: 60rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
main { padding-bottom: 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .5rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .75rem; letter-spacing: -.005em; }
h3 { font-size: 1rem; margin: 1.2rem 0 .25rem; overflow-wrap: anywhere; white-space: pre-wrap; }
p { margin: .5rem 0; max-width: 44rem; }
.lead { font-size: 1.1rem; }
.quiet { color: var(--quiet); font-size: .9em; font-weight: 400; }
.warnings { background: var(--warn); color: var(--warn-ink); border-radius: .5rem; padding: .9rem 1.1rem; margin: 1.5rem 0; }
.warnings h2 { margin: 0 0 .3rem; font-size: 1.05rem; }
.warnings ul { margin: 0; padding-left: 1.2rem; }
.wide { position: relative; overflow-x: auto; margin: .4rem 0 1.75rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .93rem; }
caption { text-align: left; padding: 0 0 .5rem; }
th, td { padding: .38rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { font-weight: 600; color: var(--quiet); font-size: .85rem; }
tbody th { font-weight: 500; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.group th { color: var(--quiet); font-size: .85rem; padding-top: .9rem; font-weight: 600; }
.settings th { width: 15rem; font-weight: 500; color: var(--quiet); }
.settings td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1.75rem 2rem; }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; margin-bottom: .4rem; }
figure > svg { width: 100%; height: auto; overflow: visible; color: var(--ink); }
.legend { list-style: none; margin: .3rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; font-size: .9rem; }
.legend svg { vertical-align: middle; }
details { margin: .35rem 0; }
summary { cursor: pointer; }
a:focus-visible, pre:focus-visible, summary:focus-visible, .wide:focus-visible { outline: 2px solid var(--series-1); outline-offset: 2px; }
.files { margin: .2rem 0 0; font-size: .85rem; }
.files a { color: var(--quiet); margin-right: .6rem; }
th[rowspan], td[rowspan] { vertical-align: top; }
.words { white-space: normal !important; text-align: left; overflow-wrap: anywhere; min-width: 9rem; }
.list > summary { padding: .3rem 0; }
.list > details > summary { display: block; padding: .3rem .2rem; border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
.list > details[open] > summary { border-bottom-color: transparent; font-weight: 600; }
.nats { display: inline-block; min-width: 3rem; font-variant-numeric: tabular-nums; color: var(--quiet); }
.opened { background: var(--panel); border-radius: .5rem; padding: .5rem 1.1rem .9rem; margin-bottom: .6rem; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; }
.cards { list-style: none; margin: 0; padding: 0; display: grid; gap: 1rem; }
.cards h3 { margin-top: 0; }
.cards article { background: var(--panel); border-radius: .5rem; padding: .9rem 1.1rem; }
.clusters { list-style: none; margin: .4rem 0 0; padding: 0; }
.count { display: inline-block; min-width: 2.4em; font-variant-numeric: tabular-nums; color: var(--quiet); }
.answer { font-weight: 600; overflow-wrap: anywhere; }
.verdict { font-size: .85em; margin-left: .4em; }
.right { color: var(--right); } .wrong { color: var(--wrong); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--paper); border-radius: .4rem; padding: .7rem .9rem; margin: .4rem 0; font: .85rem/1.5 ui-monospace, SFMono-Regular, Consolas, monospace; max-height: 24rem; overflow-y: auto; }
@media (max-width: 40rem) {
  body { font-size: 15px; } h1 { font-size: 1.5rem; } header { padding-top: 1.5rem; }
  th, td { padding: .38rem .45rem; } th:first-child { white-space: normal; }
  .settings th { width: 40%; white-space: normal; }
}
@media print { details { display: block; } .wide { overflow: visible; } }
`;

/** A figure on a page, with links to its files. */
function drawFigure(
  { name, title, chart, empty, legend, note, below }: Figure,
  formats: readonly FigureFormat[],
): SafeHtml {
  const body = chart ?? html`<p class="quiet">${empty}</p>`;
  const links = [...formats, "csv"].map((format) => {
    const kind = format.toUpperCase();
    return html`<a href="${FIGURE_FOLDER}/${name}.${format}" aria-label="${title}, ${name}: ${kind} file">${kind}</a> `;
  });
  return html`<figure><figcaption>${title}</figcaption>${body}${drawLegend(legend)}${note === null ? "" : html`<p class="quiet">${note}</p>`}${below ?? ""}<p class="files">${links}</p></figure>`;
}
