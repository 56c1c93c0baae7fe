import { formatNumber, formatPercent } from "../text/format-numbers.ts";
import { shorten } from "../text/shorten.ts";
import { HELD_OUT_SPLITS, SPLIT_TITLES } from "./figure.ts";
import { html, type SafeHtml } from "./html.ts";
import type { AnswerCluster, ReportContent, ReportQuestion } from "./report-content.ts";

/** Questions shown in full. */
const CARD_COUNT = 10;
/** A sample's text is shown up to here; the runs file has all of it. */
const CARD_EXAMPLE_LIMIT = 4000;
const LIST_EXAMPLE_LIMIT = 600;
/** Keeps the page at a size that browsers open at once. */
const LISTED_QUESTIONS = 2000;

/** The most uncertain questions, each with its answers clustered by meaning. */
export function drawUncertainQuestions({ questions }: ReportContent): SafeHtml {
  const shown = (questions.math_test ?? []).slice(0, CARD_COUNT);
  if (shown.length === 0) return html`<p class="quiet">No test question has semantic entropy.</p>`;
  return html`<ol class="cards">${shown.map(drawCard)}</ol>`;
}

/** Every held-out question on one line, to be opened. */
export function drawAllQuestions({ questions }: ReportContent): SafeHtml {
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
