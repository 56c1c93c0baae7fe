import { html, type SafeHtml } from "./html.ts";
import { formatNumber, formatPercent } from "./numbers.ts";
import type { AnswerGroup, UncertainQuestion } from "./report-content.ts";

/** A sample's text is shown up to here; the runs file has all of it. */
const EXAMPLE_LIMIT = 4000;

/** The most uncertain questions, each with its answers grouped by meaning. */
export function drawQuestionCards(questions: readonly UncertainQuestion[]): SafeHtml {
  if (questions.length === 0) return html`<p class="quiet">No test question has semantic entropy.</p>`;
  return html`<ol class="cards">${questions.map(drawCard)}</ol>`;
}

function drawCard(question: UncertainQuestion): SafeHtml {
  return html`<li><article>
<h3>${question.question}</h3>
<p class="quiet">${question.id} · semantic entropy ${formatNumber(question.semanticEntropy, 2)} nats · P(wrong) ${formatPercent(question.accuracyProbe)} by the accuracy probe · P(high entropy) ${formatPercent(question.seProbe)} by the SE probe${question.reference === null ? "" : html` · reference answer <b>${question.reference}</b>`}</p>
<ul class="groups">${question.groups.map(drawGroup)}</ul>
</article></li>`;
}

function drawGroup({ answer, sampleCount, correctCount, example }: AnswerGroup): SafeHtml {
  const verdict =
    correctCount === sampleCount ? "right" : correctCount === 0 ? "wrong" : `${correctCount} right`;
  const shown = example.length > EXAMPLE_LIMIT ? `${example.slice(0, EXAMPLE_LIMIT)}…` : example;
  return html`<li><details><summary><span class="count">${sampleCount}×</span> <span class="answer">${answer}</span> <span class="${correctCount === 0 ? "verdict wrong" : "verdict right"}">${verdict}</span></summary><pre>${shown}</pre></details></li>`;
}
